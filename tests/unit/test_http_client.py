"""Requests to services: whole answers within their bounds, or an error that says why."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.http_client import HttpClient, HttpError
from harness.json_rpc import answers_chain_id

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def server(*connections: bytes, requests: int = 1) -> Iterator[str]:
    """Gives these bytes on one connection after the other, to each of so many requests; the URL."""

    def serve() -> None:
        for answer in connections:
            used, _ = listener.accept()
            with used:
                for _ in range(requests):
                    if used.recv(65_536):
                        used.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
        thread.join(5.0)


def test_connection_is_kept_and_opened_again_when_it_was_closed() -> None:
    """Two requests over each of two connections, which the server closes in between."""
    with server(_HEAD % 2 + b"ok", _HEAD % 2 + b"ok", requests=2) as url, HttpClient(url, 5) as it:
        assert [it.get().body for _ in range(2)] == [b"ok"] * 2
        it.close()
        assert [it.get().body for _ in range(2)] == [b"ok"] * 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "Remote end closed connection"),
        (b"no HTTP at all\r\n\r\n", "no HTTP at all"),
        (_HEAD % 9 + b"short", "IncompleteRead"),
        (_HEAD % (2 << 20) + bytes(2 << 20), "more than 1 MiB"),
    ],
    ids=["nothing", "another protocol", "too short", "too long"],
)
def test_what_is_no_whole_answer_is_an_error(answer: bytes, reason: str) -> None:
    """The reason is the one that the system gives, without the names of a library's classes."""
    with server(answer) as url, HttpClient(url, 5) as client, pytest.raises(HttpError) as error:
        client.get()
    assert reason in str(error.value)
    assert "ConnectionPool" not in str(error.value)


def test_silence_and_absence_end_in_time() -> None:
    """A server that never answers, and one that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with HttpClient(url, 0.05) as client, pytest.raises(HttpError, match="timed out"):
            client.get()
        assert not answers_chain_id(url, 0.05)
    with HttpClient(url, 5) as client, pytest.raises(HttpError, match="refused"):
        client.get()


def test_a_redirect_is_an_answer() -> None:
    """Nothing but the server that was named is asked."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    with server(moved) as url, HttpClient(url, 5) as client:
        assert client.get().status == 302


@pytest.mark.parametrize("url", ["ftp://host/", "host:80", "http:///metrics"])
def test_another_address_is_refused(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="not an http address"):
        HttpClient(url, 1)
