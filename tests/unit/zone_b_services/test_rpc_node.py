"""One RPC node, over loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from zone_b.rpc_node import Node, NodeError, parse_url

Behaviour = Callable[[socket.socket], None]
GOOD = b'{"jsonrpc":"2.0","id":1,"result":"0x2a"}'


@contextmanager
def server(behaviour: Behaviour) -> Iterator[int]:
    """A server that treats each connection as the test sets it; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                behaviour(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def request_of(connection: socket.socket) -> bytes:
    """One request, whose head and body may come apart; empty when the other side hung up."""
    data = b""
    while not data.endswith(b"}"):
        more = connection.recv(4096)
        if not more:
            return b""
        data += more
    return data


def answers(status: str, body: bytes) -> Behaviour:
    """Answer each request of a connection."""

    def behave(connection: socket.socket) -> None:
        while request_of(connection):
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)

    return behave


def trickle(connection: socket.socket) -> None:
    """Always a line more, never an answer, until the other side hangs up."""
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    connection.settimeout(0.01)
    for number in range(90):  # a client refuses more than 100 lines of head
        with suppress(TimeoutError):
            if connection.recv(4096) == b"":
                return
        with suppress(OSError):
            connection.sendall(b"X-%d: 1\r\n" % number)


def mute(connection: socket.socket) -> None:
    """Take the request and say nothing until the other side hangs up."""
    while connection.recv(4096):
        pass


@contextmanager
def node(port: int, timeout_s: float) -> Iterator[Node]:
    """A node on a port of loopback."""
    made = Node("primary", parse_url(f"http://127.0.0.1:{port}", "url"), timeout_s)
    yield made
    made.close()


def test_head_over_one_connection() -> None:
    """It reads the block, and the connection is used again."""
    connections = []

    def counting(connection: socket.socket) -> None:
        connections.append(connection)
        answers("200 OK", GOOD)(connection)

    with server(counting) as port, node(port, 5) as one:
        assert [one.head() for _ in range(3)] == [42] * 3
        assert len(connections) == 1


@pytest.mark.parametrize("behaviour", [mute, trickle])
def test_no_answer_in_time(behaviour: Behaviour) -> None:
    """Neither silence nor a trickle outlives the limit, and the waiting thread is freed."""
    with server(behaviour) as port, node(port, 0.05) as one:
        began = time.monotonic()
        with pytest.raises(NodeError) as caught:
            one.call(b"{}")
        assert time.monotonic() - began < 0.5
        assert (caught.value.reason, caught.value.sent) == ("timeout", True)


def test_nobody_listens() -> None:
    """A refused connection has sent nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with node(port, 5) as one, pytest.raises(NodeError) as caught:
        one.call(b"{}")
    assert (caught.value.reason, caught.value.sent) == ("unreachable", False)


@pytest.mark.parametrize("status", ["503 Busy", "429 Too Many Requests"])
def test_not_now(status: str) -> None:
    """A node that is overloaded gave no answer."""
    with (
        server(answers(status, b"")) as port,
        node(port, 5) as one,
        pytest.raises(NodeError, match=f"http_{status[:3]}"),
    ):
        one.call(b"{}")


def test_errors_of_json_rpc_are_answers() -> None:
    """They are the caller's business."""
    with server(answers("400 Bad Request", b"{}")) as port, node(port, 5) as one:
        assert one.call(b"{}").code == 400


@pytest.mark.parametrize("body", [b"nonsense", b"{}", b"[]", b'{"result": null}'])
def test_a_head_that_is_none(body: bytes) -> None:
    """A node that does not answer its block is not usable."""
    with (
        server(answers("200 OK", body)) as port,
        node(port, 5) as one,
        pytest.raises(NodeError, match="nonsense"),
    ):
        one.head()
