"""The small HTTP server, over loopback."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry, Counter

from zone_b.env_variables import port, read_list, whole
from zone_b.health import is_healthy
from zone_b.http_service import BODY_MAX, Answer, Health, HttpService
from zone_b.settings import SettingsError

REGISTRY = CollectorRegistry()
Counter("seen", "Seen", registry=REGISTRY)
STATE = {"health": Health(True, "ok: fine")}


@pytest.fixture(scope="module")
def service() -> Iterator[HttpService]:
    """A server that returns the body of a request."""
    made = HttpService(
        "127.0.0.1",
        0,
        REGISTRY,
        lambda: STATE["health"],
        {"/same": lambda body: Answer(201, body, "text/plain")},
    )
    made.start()
    yield made
    made.stop()


def ask(
    service: HttpService,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()


def test_routes(service: HttpService) -> None:
    """Questions are answered, metrics served, unknown paths named."""
    assert ask(service, "POST", "/same", b"hello") == (201, b"hello")
    assert b"seen_total 0.0" in ask(service, "GET", "/metrics")[1]
    assert ask(service, "GET", "/") == (
        404,
        b"there is GET /metrics, GET /healthz, POST /same\n",
    )
    assert ask(service, "POST", "/other", b"x")[0] == 404


def test_health(service: HttpService) -> None:
    """200 or 503, with a line for people; the container's health check agrees."""
    assert ask(service, "GET", "/healthz") == (200, b"ok: fine\n")
    assert is_healthy(service.port)
    STATE["health"] = Health(False, "no node")
    assert ask(service, "GET", "/healthz") == (503, b"no node\n")
    assert not is_healthy(service.port)


def test_a_body_has_a_bound(service: HttpService) -> None:
    """A length that is too large or none is refused without reading."""
    assert ask(service, "POST", "/same", headers={"Content-Length": str(BODY_MAX + 1)})[0] == 413
    assert ask(service, "POST", "/same", headers={"Content-Length": "-1"})[0] == 413


def test_a_connection_serves_several_questions(service: HttpService) -> None:
    """HTTP/1.1: what asks often keeps its connection."""
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)) as connection:
        for number in range(3):
            connection.request("POST", "/same", str(number).encode())
            assert connection.getresponse().read() == str(number).encode()


def test_nobody_there() -> None:
    """No server, no health."""
    assert not is_healthy(1)


def test_variables() -> None:
    """Lists are split, numbers bounded, and a service that needs a port says so."""
    assert read_list({"A": " x, ,y,"}, "A") == ("x", "y")
    assert read_list({}, "A") == ()
    assert whole({"A": "7"}, "A", 1, 0, 9) == 7
    assert whole({"A": ""}, "A", 1, 0, 9) == 1
    with pytest.raises(SettingsError, match="A must be a whole number"):
        whole({"A": "x"}, "A", 1, 0, 9)
    with pytest.raises(SettingsError, match="A must lie between 0 and 9"):
        whole({"A": "10"}, "A", 1, 0, 9)
    assert port(5) == 5
    with pytest.raises(SettingsError, match="DEFI_HTTP_PORT"):
        port(0)
