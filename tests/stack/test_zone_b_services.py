"""The chain adapter's switch and the MEV router, as programs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.stack.zone_b_program import COMPOSE, PATIENCE_S, ask, eventually, is_up, service

pytestmark = pytest.mark.stack


class RpcServer:
    """A JSON-RPC node on loopback that can fall silent."""

    def __init__(self, name: str) -> None:
        self.head = 100
        self.speaks = threading.Event()
        self.speaks.set()
        self._ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                while not outer.speaks.wait(0.01):
                    if outer._ended.is_set():
                        return
                head = asked["method"] == "eth_blockNumber"
                result = hex(outer.head) if head else name
                body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result})
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """The adapter hangs up on a node that is silent."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


def who_answers(port: int) -> str:
    """The name of the node behind the adapter."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": []}
    return str(json.loads(ask(port, "POST", "/rpc", json.dumps(body).encode())[1])["result"])


@pytest.fixture
def nodes() -> Iterator[tuple[RpcServer, RpcServer]]:
    """A primary and a fallback."""
    both = RpcServer("primary"), RpcServer("fallback")
    yield both
    for one in both:
        one.close()


def test_adapter_switches_to_the_fallback_and_back(
    nodes: tuple[RpcServer, RpcServer], tmp_path: Path
) -> None:
    """Silence and lag move it to the fallback, probes bring it back; every switch is counted."""
    primary, fallback = nodes
    with service(
        "zone_b.chain_adapter",
        tmp_path / "log",
        DEFI_RPC_URLS=f"{primary.url},{fallback.url}",
        DEFI_RPC_PROBE_EVERY_MS="50",
        DEFI_RPC_HOLD_MS="100",
    ) as port:
        eventually(lambda: is_up(port), "healthy")
        assert who_answers(port) == "primary"

        primary.speaks.clear()
        assert who_answers(port) == "fallback"
        assert b"fallback-1 is active" in ask(port, "GET", "/healthz")[1]
        primary.speaks.set()
        eventually(lambda: who_answers(port) == "primary", "primary is asked again")

        fallback.head = 103
        eventually(lambda: who_answers(port) == "fallback", "the stale primary is left")
        primary.head = 103
        eventually(lambda: who_answers(port) == "primary", "primary has caught up")

        page = ask(port, "GET", "/metrics")[1].decode()
        assert 'defi_rpc_switches_total{to="fallback-1"} 2.0' in page
        assert 'defi_rpc_switches_total{to="primary"} 2.0' in page
        assert 'defi_rpc_request_duration_ms_count{node="primary"}' in page
        assert "127.0.0.1" not in page


def test_adapter_without_nodes_says_so(tmp_path: Path) -> None:
    """The offline stack has a chain head all the same."""
    with service("zone_b.chain_adapter", tmp_path / "log") as port:
        eventually(lambda: is_up(port), "healthy")
        assert b"no RPC node is configured" in ask(port, "GET", "/healthz")[1]
        body = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
        assert json.loads(ask(port, "POST", "/rpc", body)[1])["result"].startswith("0x")


def test_router_decides(tmp_path: Path) -> None:
    """A trade that pays an attacker goes the private way."""
    trade = {
        "amount_in": str(10**18),
        "capital": str(10**19),
        "max_slippage_bps": 100,
        "gas_price_limit": "1",
    }
    with service("zone_b.mev_router", tmp_path / "log") as port:
        eventually(lambda: is_up(port), "healthy")
        code, body = ask(port, "POST", "/route", json.dumps(trade).encode())
        assert code == 200
        assert json.loads(body)["mempool"] == "private"


def test_a_service_without_a_port_ends(tmp_path: Path) -> None:
    """The exit code is not 0, and the reason is on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "zone_b.mev_router"],
        env={"PYTHONPATH": str(COMPOSE), "DEFI_REDIS_URL": "redis://h"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "DEFI_HTTP_PORT is missing" in done.stderr
