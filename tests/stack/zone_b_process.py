"""The reference engine as a process of its own, and what tests ask of it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.contract import trace_id
from harness.contract.address import address_text
from harness.contract.codec import Signal, encode_signal
from harness.stack.ports import free_port
from harness.stack.process.services import is_healthy
from tests.stack.conftest import Postgres, Redis
from zone_b.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
ETHER = 10**18
WAIT_S = 20.0


def until(holds: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
    """Wait for something; a clear failure when it does not come."""
    give_up = time.monotonic() + wait_s
    while not holds():
        assert time.monotonic() < give_up, f"not within {wait_s:.0f} s: {what}"
        time.sleep(0.01)


@dataclass
class Site:
    """A database and a key prefix of one test, and the engine that works there."""

    redis_url: str
    owner_dsn: str
    prefix: str
    log: Path
    run_tag: int = field(default_factory=trace_id.new_run_tag)
    env: Mapping[str, str] = field(default_factory=dict)
    engine: subprocess.Popen[bytes] | None = None
    port: int = 0

    @property
    def key(self) -> str:
        """Key of the proposals."""
        return f"{self.prefix}stream:agent:proposals"

    def environment(self) -> dict[str, str]:
        """Variables of a service."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT / "compose"),
            "DEFI_REDIS_URL": self.redis_url,
            "DEFI_PG_DSN": self.owner_dsn,
            "DEFI_PREFIX": self.prefix,
            "DEFI_WORKERS": "2",
            "DEFI_HTTP_PORT": str(self.port),
            "TMPDIR": str(self.log.parent),
            **self.env,
        }

    def start(self) -> None:
        """Start the engine and wait until it is ready."""
        self.port = free_port()
        with self.log.open("ab") as log:
            self.engine = subprocess.Popen(
                [sys.executable, "-m", "zone_b.engine"], env=self.environment(), stderr=log
            )
        until(lambda: is_healthy(self.port) or self.ended is not None, "the engine is ready")
        assert self.ended is None, self.log.read_text()

    @property
    def ended(self) -> int | None:
        """The engine's exit code."""
        return self.engine.poll() if self.engine else None

    def processes(self) -> list[psutil.Process]:
        """The engine's main process and its workers."""
        assert self.engine is not None
        main = psutil.Process(self.engine.pid)
        return [main, *main.children()]

    def kill(self) -> None:
        """Kill -9 of the main process; its workers must follow it."""
        assert self.engine is not None
        processes = self.processes()
        self.engine.kill()
        self.engine.wait(5)
        gone, alive = psutil.wait_procs(processes[1:], timeout=5)
        assert not alive, "workers outlived the main process"
        assert len(gone) == len(processes) - 1

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.engine is None:
            return 0
        if self.engine.poll() is None:
            self.engine.send_signal(signal.SIGTERM)
        try:
            return self.engine.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def signal(
        self,
        index: int,
        *,
        agent: int = 0,
        address: int | None = None,
        amount_in: int = ETHER // 2,
        last_sync_block: int = 0,
        staged: bool = False,
        max_slippage_bps: int = 100,
    ) -> bytes:
        """An encoded signal."""
        return encode_signal(
            Signal(
                trace_id=self.trace(index, agent),
                agent_id=f"agent-{agent}",
                strategy_id=f"strategy-{agent}",
                last_sync_block=last_sync_block,
                timestamp_ms=time.time_ns() // 10**6,
                address=address_text(self.run_tag, agent if address is None else address),
                chain_id=1,
                amount_in=amount_in,
                capital=10 * ETHER,
                staged=staged,
                max_slippage_bps=max_slippage_bps,
                memo=b"x" * 64,
            )
        )

    def trace(self, index: int, agent: int = 0) -> str:
        """A signal's trace id."""
        return trace_id.text(*trace_id.pack(self.run_tag, agent, index))

    def send(self, messages: Iterable[bytes]) -> None:
        """Put entries into the stream, in one go."""
        with redis.Redis.from_url(self.redis_url) as client, client.pipeline(False) as pipeline:
            for message in messages:
                pipeline.xadd(self.key, {b"data": message})
            pipeline.execute()

    def pending(self) -> int:
        """Entries that were read and not acknowledged."""
        with redis.Redis.from_url(self.redis_url) as client:
            return int(client.xpending(self.key, "cg:engine")["pending"])

    def undelivered(self) -> bool:
        """Whether entries wait that nobody has read."""
        with redis.Redis.from_url(self.redis_url) as client:
            last = client.xinfo_stream(self.key)["last-generated-id"]
            groups = client.xinfo_groups(self.key)
        return bool(groups[0]["last-delivered-id"] != last)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.owner_dsn) as connection:
            return connection.execute(sql.encode()).fetchall()

    def statuses(self) -> Counter[str]:
        """How many tasks are in which state."""
        rows = self.rows("SELECT status::text, count(*) FROM trade_tasks GROUP BY 1")
        return Counter(dict(rows))

    def await_idle(self) -> None:
        """Wait until everything was read and acknowledged."""
        until(lambda: not self.undelivered() and self.pending() == 0, "all is acknowledged")

    def metric(self, name: str) -> float:
        """A value of the engine's metrics page; 0 if it is not there."""
        return sum(self._samples(name))

    def has_metric(self, name: str) -> bool:
        """Whether the engine's metrics page has it."""
        return bool(self._samples(name))

    @contextmanager
    def data_processor(self, block_time_s: float) -> Iterator[None]:
        """A data processor at work."""
        env = {**self.environment(), "DEFI_HTTP_PORT": "0", "DEFI_BLOCK_TIME_S": str(block_time_s)}
        process = subprocess.Popen([sys.executable, "-m", "zone_b.data_processor"], env=env)
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(5) == 0

    def _samples(self, name: str) -> list[float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as page:
            lines = page.read().decode().splitlines()
        return [float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")]

    def assert_sound(self) -> None:
        """Nonces are contiguous and unique per address, and the ledger balances per signal."""
        assert (
            self.rows(
                """
            SELECT held.address, held.nonce, count(task.nonce), min(task.nonce), max(task.nonce)
            FROM nonce_locks AS held
            JOIN accounts USING (address, chain_id)
            JOIN (
                SELECT DISTINCT trace_id, credit_account_id AS id FROM ledger_entries
            ) AS paid USING (id)
            JOIN trade_tasks AS task USING (trace_id)
            GROUP BY held.address, held.nonce
            HAVING count(DISTINCT task.nonce) <> held.nonce OR count(task.nonce) <> held.nonce
                OR min(task.nonce) <> 0 OR max(task.nonce) <> held.nonce - 1
            """
            )
            == []
        )
        assert (
            self.rows(
                """
            SELECT trace_id FROM trade_tasks AS task
            LEFT JOIN ledger_entries AS entry USING (trace_id)
            GROUP BY trace_id, task.status, task.internal_tx_id, task.nonce
            HAVING array_agg(entry.entry_type::text ORDER BY entry.entry_type) <>
                    CASE WHEN status = 'SIMULATED' THEN ARRAY['TRADE', 'GAS_FEE', 'PROTOCOL_FEE']
                    ELSE ARRAY[NULL] END
                OR count(DISTINCT entry.internal_tx_id) <> (status = 'SIMULATED')::int
                OR (status = 'SIMULATED') <> (nonce IS NOT NULL)
                OR (status = 'SIMULATED') <> (task.internal_tx_id IS NOT NULL)
            """
            )
            == []
        )


@pytest.fixture
def site(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> Iterator[Site]:
    """A migrated database of its own and an engine that is not started yet."""
    name = f"zone_b_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER defi").format(sql.Identifier(name)))
    dsn = make_conninfo(postgres.owner_dsn, dbname=name)
    migrate(dsn)
    site = Site(redis_server.url, dsn, f"{name}:", tmp_path / "engine.log")
    yield site
    site.stop()
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
