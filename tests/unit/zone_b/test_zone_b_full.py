from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from zone_b.amm import SimulationRevertedError, SwapOutcome
from zone_b.full import FullSimulator, SimulationTimeoutError, SimulationUnavailableError

ANSWER = "0x" + "".join(f"{value:064x}" for value in (5, 100, 200, 6_000))
Reply = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def node(reply: Reply) -> Iterator[str]:
    """A JSON-RPC node that answers each request of a batch by `reply`; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            requests = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # Nodes may answer a batch in any order.
            body = json.dumps([{"id": r["id"], **reply(r)} for r in reversed(requests)]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden name
            """Logs nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def block_or(result: dict[str, Any]) -> Reply:
    """A node at block 16 that answers every call with `result`."""
    return lambda request: {"result": "0x10"} if request["method"] == "eth_blockNumber" else result


def test_answers_come_back_in_order() -> None:
    """Each amount gets the answer to its own call, and calls name the block by its number."""
    asked: list[str] = []

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        if request["method"] == "eth_blockNumber":
            return {"result": "0x10"}
        asked.append(request["params"][1])
        amount = int(request["params"][0]["data"][10:], 16)
        return {"result": "0x" + "".join(f"{value:064x}" for value in (amount, 1, 1, 1))}

    with node(reply) as url:
        simulator = FullSimulator(url)
        found = simulator.simulate([3, 1, 2], head=1)
        simulator.close()
    assert [outcome.amount_out for outcome in found if isinstance(outcome, SwapOutcome)] == [
        3,
        1,
        2,
    ]
    assert asked == ["0x10"] * 3


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ({"result": ANSWER}, SwapOutcome),
        ({"result": "0x"}, SimulationRevertedError),
        ({"error": {"code": 3, "message": "execution reverted"}}, SimulationRevertedError),
        ({"error": {"code": -32603, "message": "internal"}}, SimulationUnavailableError),
    ],
)
def test_answers_are_distinguished(result: dict[str, Any], kind: type) -> None:
    """A refusal by the contract is the trade's fault, another error the node's."""
    with node(block_or(result)) as url:
        simulator = FullSimulator(url)
        assert [type(answer) for answer in simulator.simulate([1], head=1)] == [kind]
        simulator.close()


def test_a_lost_block_is_asked_for_again() -> None:
    """A node that was restarted knows other blocks; the call is repeated at one that it knows."""
    heights = iter(["0x10", "0x2"])

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        if request["method"] == "eth_blockNumber":
            return {"result": next(heights)}
        if request["params"][1] == "0x2":
            return {"result": ANSWER}
        return {"error": {"code": -32602, "message": "BlockOutOfRangeError: 16 > 2"}}

    with node(reply) as url:
        simulator = FullSimulator(url)
        assert isinstance(simulator.simulate([1], head=1)[0], SwapOutcome)
        simulator.close()


def test_a_silent_node_times_out() -> None:
    """A node that takes the connection and says nothing costs no more than the limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        simulator = FullSimulator(
            f"http://127.0.0.1:{silent.getsockname()[1]}", limit_ns=20_000_000
        )
        answers = simulator.simulate([1, 2], head=1)
        simulator.close()
    assert [type(answer) for answer in answers] == [SimulationTimeoutError] * 2


def test_no_node_is_unavailable() -> None:
    """Neither a missing URL nor a closed port is a time-out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    for url in ("", closed):
        simulator = FullSimulator(url)
        assert isinstance(simulator.simulate([1], head=1)[0], SimulationUnavailableError)
        simulator.close()
