"""PostgreSQL crashing and coming back in the middle of a run."""

from __future__ import annotations

import json
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
from harness.observe.plan import ObservationMethod, ObserverPlan
from harness.process.program import Program, spawn, terminate
from harness.stack.ports import free_port
from harness.stack.process.postgres import PostgresServer
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
        self.process = spawn(self.program, self.servers.reaper)
        deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
        while not self.server.is_ready():
            assert CLOCK.now_ns() < deadline_ns
            CLOCK.sleep_ns(10 * NS_PER_MS)

    def crash(self) -> None:
        """End it without a checkpoint: the log has to be replayed."""
        terminate(self.process, signal.SIGQUIT, 5)
        self.servers.reaper.forget(self.process.pid)


def started(server: PostgresServer, port: int, servers: Servers) -> Crashing:
    """A prepared server, started, with Zone B's tables and the observer's rights."""
    found = Crashing(server, server.program(port), servers)
    found.start()
    server.set_up()
    migrate(server.owner_dsn)
    server.open_to_observer(Contract().tasks.table, Contract().publication)
    return found


@pytest.fixture
def crashing(servers: Servers) -> Iterator[Crashing]:
    """The server, with Zone B's tables, ready to be watched."""
    port = free_port()
    server = PostgresServer(
        servers.folder / f"crashing-{port}",
        servers.logs / f"crashing-{port}.log",
        servers.reaper,
        "harness_observer",
    )
    server.prepare()
    found = started(server, port, servers)
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


def watched(
    crashing: Crashing, folder: Path, way: ObservationMethod = ObservationMethod.LOGICAL
) -> Observer:
    """An observer that watches."""
    plan = ObserverPlan(
        observer_dsn=SecretStr(crashing.server.observer_dsn),
        run_tag=RUN_TAG,
        folder=folder,
        method=way,
    )
    observer = Observer(plan, CLOCK)
    observer.start()
    return observer


def test_a_standby_is_watched_to_its_end(crashing: Crashing, tmp_path: Path) -> None:
    """It writes no log of its own, so that it is asked how far it has replayed."""
    commit(crashing.server.owner_dsn, 0, 3)
    terminate(crashing.process, signal.SIGINT, 10)
    crashing.servers.reaper.forget(crashing.process.pid)
    (crashing.server._data / "standby.signal").touch()
    crashing.start()
    observer = watched(crashing, tmp_path, ObservationMethod.POLLING)
    observer.stop()
    assert observer.failure() is None
    facts = json.loads((tmp_path / "observer.json").read_text())
    assert (facts["drained"], facts["cause"], facts["blind_since_ns"]) == (True, "", 0)


def test_an_observer_that_ends_tells_the_cause_and_the_hint(
    crashing: Crashing, tmp_path: Path
) -> None:
    """And writes down since when it saw nothing; what it saw before that counts."""
    observer = watched(crashing, tmp_path)
    commit(crashing.server.owner_dsn, 0, 5)
    with psycopg.connect(crashing.server.admin_dsn, autocommit=True) as admin:
        admin.execute("DROP PUBLICATION harness_watch")
    commit(crashing.server.owner_dsn, 5, 5)
    deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
    while observer.failure() is None and CLOCK.now_ns() < deadline_ns:
        CLOCK.sleep_ns(20 * NS_PER_MS)
    failure = observer.failure() or ""
    observer.stop()
    assert "there is no publication harness_watch of table trade_tasks" in failure
    assert 'hint: CREATE PUBLICATION "harness_watch"' in failure
    facts = json.loads((tmp_path / "observer.json").read_text())
    assert "there is no publication harness_watch" in facts["cause"]
    assert (facts["drained"], facts["in_gap"], facts["seen"]) == (False, True, 5)
    assert 0 < facts["blind_since_ns"] < CLOCK.now_ns()


def test_a_login_without_a_free_connection_is_reported(crashing: Crashing, tmp_path: Path) -> None:
    """What the server says stands in what the observer says."""
    role = "ALTER ROLE harness_observer CONNECTION LIMIT {}"
    with psycopg.connect(crashing.server.admin_dsn, autocommit=True) as admin:
        observer = watched(crashing, tmp_path, ObservationMethod.POLLING)
        try:
            admin.execute(role.format(0).encode())
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'harness_observer'"
            )
            deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
            while not (observer.latest or {}).get("in_gap") and CLOCK.now_ns() < deadline_ns:
                CLOCK.sleep_ns(20 * NS_PER_MS)
            CLOCK.sleep_ns(NS_PER_S)
        finally:
            observer.stop()
            admin.execute(role.format(-1).encode())
    facts = json.loads((tmp_path / "observer.json").read_text())
    assert 'too many connections for role "harness_observer"' in facts["cause"]
    assert not facts["drained"]
