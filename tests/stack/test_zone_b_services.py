"""The small services of Zone B as programs: the chain adapter's switch, and the archiver."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.stack.ports import free_port
from tests.stack.conftest import Postgres
from zone_b.archive_files import Position
from zone_b.migrate import SCHEMA

pytestmark = pytest.mark.stack

COMPOSE = Path(__file__).resolve().parents[2] / "compose"
PATIENCE_S = 10


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


@contextmanager
def service(module: str, log: Path, **env: str) -> Iterator[int]:
    """A service of Zone B as its container starts it; its HTTP port."""
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(COMPOSE),
                "DEFI_REDIS_URL": "redis://127.0.0.1:1/0",
                "DEFI_HTTP_PORT": str(port),
                **env,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    assert code == 0, log.read_text()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One HTTP request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()


def who_answers(port: int) -> str:
    """The name of the node behind the adapter."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": []}
    return str(json.loads(ask(port, "POST", "/rpc", json.dumps(body).encode())[1])["result"])


def eventually(true: Callable[[], bool], what: str) -> None:
    """Wait until something holds; bounded."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if true():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def is_up(port: int) -> bool:
    """Whether the service is healthy."""
    try:
        return ask(port, "GET", "/healthz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


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
    """A trade worth attacking goes the private way."""
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


@pytest.fixture
def archive_dsn(postgres: Postgres) -> Iterator[str]:
    """A database of its own with Zone B's tables."""
    name = f"archive_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER defi")
    dsn = psycopg.conninfo.make_conninfo(postgres.owner_dsn, dbname=name)
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA.read_bytes())
    yield dsn
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def add_tasks(dsn: str, *tasks: tuple[str, float]) -> list[str]:
    """Tasks by status and age in seconds; their ids."""
    ids = [str(uuid.uuid4()) for _ in tasks]
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO trade_tasks (id, strategy_id, trace_id, status, nonce, updated_at)"
            " VALUES (%s, 's', %s, %s, 5, %s)",
            [
                (task, str(uuid.uuid4()), status, datetime.now(UTC) - timedelta(seconds=age))
                for task, (status, age) in zip(ids, tasks, strict=True)
            ],
        )
    return ids


def archived(folder: Path) -> list[str]:
    """Ids in the archive, in the order of their files and lines."""
    files = sorted(folder.glob("*.jsonl.gz"))
    lines = [line for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [json.loads(line)["id"] for line in lines]


def test_archiver_copies_what_is_finished_and_old(archive_dsn: str, tmp_path: Path) -> None:
    """Once each, oldest first; after a restart it goes on; the table stays as it was."""
    folder = tmp_path / "archive"
    env = {
        "DEFI_PG_DSN": archive_dsn,
        "DEFI_ARCHIVE_DIR": str(folder),
        "DEFI_ARCHIVE_EVERY_S": "1",
        "DEFI_ARCHIVE_AFTER_S": "60",
        "DEFI_ARCHIVE_BATCH": "2",
    }
    old = [("SIMULATED", 500.000001 - n * 0.000001) for n in range(3)]
    first = add_tasks(archive_dsn, *old, ("INVARIANT_BROKEN", 100), ("INIT", 900), ("SIGNED", 900))
    young = add_tasks(archive_dsn, ("SIMULATED", 5))
    with service("zone_b.archiver", tmp_path / "log", **env) as port:
        eventually(lambda: is_up(port), "healthy")
        assert archived(folder) == first[:4]
        assert len(list(folder.glob("*.gz"))) == 2
        assert b"defi_archive_tasks_total 4.0" in ask(port, "GET", "/metrics")[1]

    later = add_tasks(archive_dsn, ("CONFIRMED", 61))
    with service("zone_b.archiver", tmp_path / "log", **env) as port:
        eventually(lambda: is_up(port), "healthy")
        assert archived(folder) == [*first[:4], *later]
        newest = Position.of_file(sorted(path.name for path in folder.glob("*.gz"))[-1])
        assert newest is not None
        assert newest.task_id == later[0]
    with psycopg.connect(archive_dsn) as connection:
        count = connection.execute("SELECT count(*) FROM trade_tasks").fetchone()
    assert count == (len(first) + len(young) + len(later),)


def test_archiver_fails_loudly(tmp_path: Path) -> None:
    """Without its database it ends, and its restart policy decides."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-m", "zone_b.archiver"],
        env={
            "PYTHONPATH": str(COMPOSE),
            "DEFI_REDIS_URL": "redis://h",
            "DEFI_PG_DSN": f"host=127.0.0.1 port={closed} user=defi password=hush",
            "DEFI_ARCHIVE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot go on" in done.stderr
    assert "hush" not in done.stderr
