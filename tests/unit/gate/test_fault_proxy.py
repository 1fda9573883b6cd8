"""The wire: requests that arrive late, answers that never do, and nothing that leaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.gate.fault_proxy import FaultProxy
from harness.gate.node_provider import is_closed
from harness.json_rpc import LostError, RefusedError, Rpc

_SOON_S = 0.05


class Node:
    """A node that counts what reaches it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                node.asked.append(asked["method"])
                error = {"error": {"code": -1, "message": "nonce too low"}}
                answer = error if asked["method"] == "wrong" else {"result": "0x10"}
                body = json.dumps({"id": 1, **answer}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(name="node")
def _node() -> Iterator[Node]:
    node = Node()
    yield node
    node.server.shutdown()
    node.server.server_close()
    node.thread.join()


@pytest.fixture(name="wire")
def _wire(node: Node) -> Iterator[FaultProxy]:
    wire = FaultProxy(node.url)
    yield wire
    wire.close()
    assert is_closed(wire.url)


def test_an_undisturbed_wire_is_not_noticed(node: Node, wire: FaultProxy) -> None:
    """Answers and refusals come back as they are."""
    rpc = Rpc(wire.url, 5)
    assert [rpc.number("right") for _ in range(3)] == [16] * 3
    with pytest.raises(RefusedError, match="nonce too low"):
        rpc.ask("wrong")
    rpc.close()
    assert node.asked == ["right"] * 3 + ["wrong"]


def test_a_request_that_is_held_up_arrives_late(node: Node, wire: FaultProxy) -> None:
    """After its sender has given up; `clear` returns when it has."""
    rpc = Rpc(wire.url, _SOON_S)
    wire.set_fault("stall")
    with pytest.raises(LostError):
        rpc.ask("late")
    assert node.asked == []
    assert wire.clear()
    assert node.asked == ["late"]
    client = Rpc(wire.url, 5)
    assert client.number("right") == 16
    client.close()


def test_an_answer_that_is_lost_was_given(node: Node, wire: FaultProxy) -> None:
    """The node executed the request, and its answer is lost."""
    rpc = Rpc(wire.url, _SOON_S)
    wire.set_fault("lose")
    with pytest.raises(LostError):
        rpc.ask("done")
    assert wire.clear()
    assert node.asked == ["done"]


def test_a_node_that_is_not_there(wire: FaultProxy, node: Node) -> None:
    """No answer, and nothing hangs."""
    closed = Rpc(node.url.replace(str(node.server.server_address[1]), "1"), 1)
    with pytest.raises(LostError):
        closed.ask("anything")
    assert not is_closed(wire.url)
