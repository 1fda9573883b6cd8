"""The telemetry process at real servers: its series are there, waits for locks are named."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import MetricsHandler
from pydantic import SecretStr

from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract.names import Contract, NonceTable
from harness.stack.base import ServiceState
from harness.telemetry.plan import TelemetryPlan
from harness.telemetry.process import TelemetryProcess
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sources.postgres import PostgresSampler
from tests.stack.conftest import Postgres, Redis, Servers

pytestmark = pytest.mark.stack

CONTRACT = Contract(prefix="telemetry-test:")
WAIT_S = 15.0
EVERY_NS = 200 * NS_PER_MS

OF_SERVICES = (
    "cpu_cores", "cpu_busiest_cores", "cpu_wait_cores", "memory_bytes", "memory_private_bytes",
    "faults_minor_per_s",
    "faults_major_per_s", "read_bytes_per_s", "written_bytes_per_s",
)  # fmt: skip
OF_HOST = (
    "busy_cores",
    "idle_cores",
    "steal_cores",
    "iowait_cores",
    "core0.busy_share",
    "core0.steal_share",
)
OF_REDIS = (
    "memory_bytes", "commands_per_s", "clients_count", "refused_per_s", "aof_bytes",
    "aof_rewrite_count",
    "aof_delayed_per_s", "latest_fork_ms", "stream.stream:agent:proposals.length_count",
    "group.stream:agent:proposals.cg:engine.pending_count",
)  # fmt: skip
OF_POSTGRES = (
    "connections_active_count", "connections_count", "lock_waiters_count", "nonce_waiters_count",
    "nonce_wait_ms", "lock_waiting_share", "nonce_waiting_share", "wal_bytes_per_s",
    "database_bytes",
    "checkpoint_count",
)  # fmt: skip
OF_NODES = ("mean_ms", "requests_per_s", "slow_share")


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another process does; a real wait, since the process is real."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {WAIT_S} s"
        time.sleep(0.02)


@contextmanager
def page() -> Iterator[str]:
    """A service's page with one node on it."""
    registry = CollectorRegistry()
    times = Histogram(
        "defi_rpc_request_duration_ms", "x", ["node"], buckets=(100,), registry=registry
    )
    times.labels("first").observe(7)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), MetricsHandler.factory(registry))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


def reported(path: Path) -> Telemetry:
    """What the file says so far; its last line may be under way."""
    return read_telemetry(path.read_text(encoding="utf-8").split("\n")[:-1], 0)


def test_every_documented_series_is_there(
    servers: Servers, postgres: Postgres, any_redis: Redis, tmp_path: Path
) -> None:
    """Services, host, Redis, PostgreSQL and pages; what is missing has a reason."""
    key = CONTRACT.key(CONTRACT.streams.proposals)
    with redis.Redis.from_url(any_redis.url) as client:
        client.delete(key)
        client.xgroup_create(key, CONTRACT.streams.engine_group or "", id="0", mkstream=True)
    path = tmp_path / "telemetry.jsonl"
    states = servers.supervisor.states()
    with page() as url:
        process = TelemetryProcess(
            TelemetryPlan(
                conninfo=SecretStr(postgres.admin_dsn),
                redis_url=SecretStr(any_redis.url),
                metrics_urls={"adapter": url},
                contract=CONTRACT,
                path=path,
                every_ns=EVERY_NS,
            )
        )
        process.start()
        process.follow(states)
        until(lambda: path.exists() and len(reported(path).of("service.postgres.cpu_cores")) > 0)
        until(
            lambda: (
                {"postgres", "redis", "rpc"}
                <= {n.split(".")[0] for n in reported(path).time_series}
            )
        )
        until(lambda: bool(reported(path).of("rpc.first.requests_per_s")))
        process.stop()
    assert process.failure() is None
    found = reported(path)
    names = {
        *(f"service.{state.name}.{name}" for state in states for name in OF_SERVICES),
        *(f"host.{name}" for name in OF_HOST),
        *(f"redis.{name}" for name in OF_REDIS),
        *(f"postgres.{name}" for name in OF_POSTGRES),
        *(f"rpc.first.{name}" for name in OF_NODES),
        "sampler.cost_cores",
    }
    # A mean needs something that came since; nobody asks this node again.
    assert names - {"rpc.first.mean_ms"} - set(found.time_series) == set()
    assert found.invalid_lines == 0
    assert found.every_s == EVERY_NS / NS_PER_S
    assert all(value >= 0 for track in found.time_series.values() for value in track.values)
    assert "postgres.statement_ms" in found.unread
    lag = "redis.group.stream:agent:proposals.cg:engine.lag_count"
    assert (lag in found.time_series) == (any_redis.version >= "7")
    assert ("redis.group.lag" in found.unread) == (any_redis.version < "7")
    assert json.loads(path.read_text().splitlines()[-1])["kind"] == "end"
    secrets = (postgres.admin_dsn.split("password=")[1].split()[0], any_redis.url.split("@")[0][9:])
    log = (tmp_path / "logs" / "telemetry.log").read_text()
    assert not any(secret in path.read_text() + log for secret in secrets)


def test_a_telemetry_process_that_dies_says_how(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    """It is known afterwards; nothing is raised."""
    process = TelemetryProcess(
        TelemetryPlan(
            conninfo=SecretStr(postgres.admin_dsn),
            redis_url=SecretStr(redis_server.url),
            path=tmp_path / "telemetry.jsonl",
            every_ns=EVERY_NS,
        )
    )
    process.start()
    until(lambda: bool(reported(tmp_path / "telemetry.jsonl").time_series))
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: process.failure() is not None)
    process.stop()
    assert process.failure() == "the telemetry process was ended by signal 9"


def test_a_service_that_is_started_again_goes_on(tmp_path: Path) -> None:
    """The process learns the new pid, and the totals of the service never go down."""
    path = tmp_path / "telemetry.jsonl"
    plan = TelemetryPlan(
        conninfo=SecretStr("host=127.0.0.1 port=1 connect_timeout=1"),
        redis_url=SecretStr("redis://127.0.0.1:1/0"),
        path=path,
        every_ns=EVERY_NS,
    )
    process = TelemetryProcess(plan)
    process.start()
    for life in range(2):
        with subprocess.Popen([sys.executable, "-c", "while True: sum(range(10_000))"]) as busy:
            process.follow([ServiceState("engine", busy.pid, True, life, None)])
            before = _samples_at_work(path)
            try:
                until(partial(_has_worked, path, before + 3))
            finally:
                busy.kill()
    process.stop()
    assert process.failure() is None
    assert min(reported(path).time_series["service.engine.cpu_cores"].values) >= 0


def _has_worked(path: Path, number: int) -> bool:
    return _samples_at_work(path) >= number


def _samples_at_work(path: Path) -> int:
    """In how many samples the engine had computed."""
    tracks = reported(path).time_series if path.exists() else {}
    track = tracks.get("service.engine.cpu_cores")
    return sum(value > 0 for value in track.values) if track else 0


def test_servers_that_are_away_are_reasons(tmp_path: Path) -> None:
    """Nobody answers: the process goes on, says so, and still tells of the host."""
    path = tmp_path / "telemetry.jsonl"
    process = TelemetryProcess(
        TelemetryPlan(
            conninfo=SecretStr("host=127.0.0.1 port=1 connect_timeout=1"),
            redis_url=SecretStr("redis://127.0.0.1:1/0"),
            metrics_urls={"engine": "http://127.0.0.1:1/metrics"},
            path=path,
            every_ns=EVERY_NS,
        )
    )
    process.start()
    wanted = {"redis", "postgres", "page.engine", "services"}
    until(lambda: path.exists() and wanted <= set(reported(path).unread))
    until(lambda: bool(reported(path).of("host.busy_cores")))
    process.stop()
    assert process.failure() is None


def test_a_wait_for_the_nonce_lock_is_named(postgres: Postgres) -> None:
    """Two sessions on one row: the waiter, its table, for how long, and whom it waits for."""
    with (
        psycopg.connect(postgres.owner_dsn) as holder,
        psycopg.connect(postgres.owner_dsn) as waiter,
    ):
        holder.execute("CREATE SCHEMA IF NOT EXISTS waits")
        holder.execute("DROP TABLE IF EXISTS waits.nonce_locks, waits.other")
        holder.execute("CREATE TABLE waits.nonce_locks (address text, nonce int)")
        holder.execute("CREATE TABLE waits.other (x int)")
        holder.execute("INSERT INTO waits.nonce_locks VALUES ('secret-address', 1)")
        holder.execute("INSERT INTO waits.other VALUES (1)")
        holder.commit()
        contract = Contract(nonces=NonceTable(table="waits.nonce_locks"))
        found = _while_waiting(
            postgres,
            contract,
            holder,
            waiter,
            "SELECT nonce FROM waits.nonce_locks WHERE address = 'secret-address' FOR UPDATE",
        )
        wait = found.lock_waits[-1]
        assert (wait.relation, wait.for_update) == ("waits.nonce_locks", True)
        assert wait.statement == "SELECT nonce FROM waits.nonce_locks WHERE address = ? FOR UPDATE"
        assert wait.waited_ms > 0
        assert [state for state, _ in wait.holders] == ["idle in transaction"]
        assert wait.holders[0][1].startswith("SELECT nonce FROM waits.nonce_locks")
        assert found.time_series["postgres.nonce_waiters_count"].values[-1] == 1
        assert found.time_series["postgres.nonce_wait_ms"].values[-1] >= wait.waited_ms

        other = _while_waiting(postgres, contract, holder, waiter, "UPDATE waits.other SET x = 2")
        assert (other.lock_waits[-1].relation, other.lock_waits[-1].for_update) == (
            "waits.other",
            False,
        )
        assert other.time_series["postgres.lock_waiters_count"].values[-1] == 1
        assert other.time_series["postgres.nonce_waiters_count"].values[-1] == 0


def test_what_a_login_may_not_see_is_not_zero(postgres: Postgres) -> None:
    """A role that sees the sessions of others only as numbers tells of no activity and no wait."""
    lines: list[str] = []
    sheet = SampleBatch("postgres", lines.append)
    sampler = PostgresSampler(postgres.observer_dsn, Contract(), SystemClock())
    with psycopg.connect(postgres.owner_dsn):
        sampler.sample(sheet)
        sheet.end(1)
    sampler.close()
    found = read_telemetry("".join(lines), 0)
    hidden = {"postgres.connections_active_count", "postgres.lock_waiters_count"}
    assert hidden <= set(found.unread)
    assert not hidden & set(found.time_series)
    assert found.time_series["postgres.connections_count"].values[0] >= 1


def _while_waiting(
    postgres: Postgres,
    contract: Contract,
    holder: psycopg.Connection[tuple[object, ...]],
    waiter: psycopg.Connection[tuple[object, ...]],
    statement: str,
) -> Telemetry:
    """What is recorded while one session waits for another one that has executed the same."""
    lines: list[str] = []
    sampler = PostgresSampler(postgres.admin_dsn, contract, SystemClock())
    sheet = SampleBatch("postgres", lines.append)
    holder.execute(statement.encode())
    waiting = threading.Thread(target=lambda: waiter.execute(statement.encode()))
    waiting.start()
    looked = iter(range(1, 1_000))

    def is_seen() -> bool:
        sampler.poll(sheet)
        sampler.sample(sheet)
        sheet.end(next(looked))
        return bool(read_telemetry("".join(lines), 0).lock_waits)

    until(is_seen)
    holder.rollback()
    waiting.join()
    waiter.rollback()
    sampler.close()
    found = read_telemetry("".join(lines), 0)
    assert found.invalid_lines == 0
    return found
