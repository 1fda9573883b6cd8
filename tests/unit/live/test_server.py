"""The server of the metrics page, on loopback."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from harness.clock import ManualClock
from harness.errors import UsageError
from harness.run.live import metrics_server
from harness.run.live.exporter import Exporter
from harness.run.live.metrics_server import metrics_address, serving


def read(url: str) -> str:
    """A page."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()}"
    finally:
        connection.close()


def test_page_is_served_until_the_end() -> None:
    """Port 0 means any free port; it is released at the end."""
    with serving(Exporter(ManualClock()).app, 0) as url:
        assert url.startswith("http://127.0.0.1:")
        assert "harness_scrapes_total 1.0" in (read(url), read(url))[1]
    with pytest.raises(ConnectionRefusedError):
        read(url)


def test_port_in_use_names_its_holder() -> None:
    """Before anything is started."""
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen(1)
        port = occupied.getsockname()[1]
        with (
            pytest.raises(UsageError, match=rf"port {port} is already in use by .*pid") as error,
            serving(Exporter(ManualClock()).app, port),
        ):
            pass
    assert "--metrics-port" in error.value.hint


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "::", "", "localhost", "224.0.0.1"],  # noqa: S104 - refused, not bound to
)
def test_address_must_be_a_single_one(text: str) -> None:
    """Not every address of the host by accident, nor a name that may resolve to another."""
    with pytest.raises(UsageError):
        metrics_address(text)


def test_foreign_address_is_refused() -> None:
    """Another host's address is wrong usage, not a crash."""
    with (
        pytest.raises(UsageError, match="nothing can be served"),
        serving(Exporter(ManualClock()).app, 0, "192.0.2.1"),
    ):
        pass


def test_idle_readers_are_bounded_and_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that sends nothing is disconnected in time; others get the page."""
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.2)
    with serving(Exporter(ManualClock()).app, 0) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(12)]
        # The last four are beyond the limit, the first eight send nothing for too long.
        assert [connection.recv(1) for connection in idle] == [b""] * 12
        assert "harness_scrapes" in read(url)
        for connection in idle:
            connection.close()


def test_broken_page_stays_on_the_page(capfd: pytest.CaptureFixture[str]) -> None:
    """An error in the page reaches its reader only."""

    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("made up")

    with serving(broken, 0) as url:
        assert read(url).startswith("500 ")
    assert capfd.readouterr().err == ""
