"""PostgreSQL crashing and coming back in the middle of a run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract import trace_id
from harness.contract.names import Contract, State
from harness.evidence.records import SIGHTING, read_records
from harness.observe.observer import Observer
from harness.observe.plan import ObserverPlan
from harness.process.program import Program, end, spawn
from harness.stack.ports import free_port
from harness.stack.postgres import PostgresServer
from tests.stack.conftest import Servers
from zone_b.migrate import migrate

pytestmark = pytest.mark.stack

CLOCK = SystemClock()
RUN_TAG = 0xABC
INSERT = (
    "INSERT INTO trade_tasks (id, strategy_id, trace_id, status)"
    " VALUES (gen_random_uuid(), 's', %s, 'SIMULATED')"
)


@dataclass(slots=True)
class Crashing:
    """A PostgreSQL of the test's own, which it may crash."""

    server: PostgresServer
    program: Program
    servers: Servers
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self.process = spawn(self.program, self.servers.guard)
        deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
        while not self.server.is_ready():
            assert CLOCK.now_ns() < deadline_ns
            CLOCK.sleep_ns(10 * NS_PER_MS)

    def crash(self) -> None:
        """End it without a checkpoint: the log has to be replayed."""
        end(self.process, signal.SIGQUIT, 5)
        self.servers.guard.forget(self.process.pid)


@pytest.fixture
def crashing(servers: Servers) -> Iterator[Crashing]:
    """The server, with Zone B's tables, ready to be watched."""
    server = PostgresServer(
        servers.folder / "crashing",
        servers.logs / "crashing.log",
        servers.guard,
        "harness_observer",
    )
    server.prepare()
    found = Crashing(server, server.program(free_port()), servers)
    found.start()
    server.set_up()
    migrate(server.owner_dsn)
    server.open_to_observer(Contract().tasks.table, Contract().publication)
    yield found
    found.crash()


def commit(dsn: str, first: int, count: int) -> None:
    """Commit so many signals, each by itself."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for index in range(first, first + count):
            connection.execute(INSERT, (trace_id.text(*trace_id.pack(RUN_TAG, 0, index)),))


def test_crash_of_the_server_loses_no_sighting(crashing: Crashing, tmp_path: Path) -> None:
    """The slot dies with the server; what was committed until the next one is read by query."""
    dsn = crashing.server.owner_dsn
    plan = ObserverPlan(
        observer_dsn=SecretStr(crashing.server.observer_dsn), run_tag=RUN_TAG, folder=tmp_path
    )
    observer = Observer(plan, CLOCK)
    observer.start()
    try:
        commit(dsn, 0, 200)
        crashing.crash()
        crashing.start()
        commit(dsn, 200, 200)
        deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
        while (observer.latest or {}).get("in_gap", True) and CLOCK.now_ns() < deadline_ns:
            CLOCK.sleep_ns(20 * NS_PER_MS)
        commit(dsn, 400, 50)
    finally:
        observer.stop()
    assert observer.failure() is None
    sightings, _ = read_records(tmp_path / "sightings.bin", SIGHTING)
    final = sightings[sightings["state"] == State.SIMULATED]
    assert sorted(low & 0xFFFF for low in final["trace_lo"].tolist()) == list(range(450))
    assert (final["commit_us"] > 0).all()
    assert (observer.latest or {})["gaps"] == 1
