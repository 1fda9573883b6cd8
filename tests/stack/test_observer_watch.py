"""The observer process against a real PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract import trace_id
from harness.contract.names import Contract, State
from harness.errors import StackError
from harness.evidence.records import SIGHTING, Records, read_records
from harness.observe.logical import LogicalWatcher
from harness.observe.observer import Observer
from harness.observe.plan import ObservationMethod, ObserverPlan
from harness.observe.watcher import WatcherLost
from tests.stack.conftest import Postgres, Redis
from zone_b.migrate import migrate

pytestmark = pytest.mark.stack

DATABASE = "observed"
INSERT = "INSERT INTO trade_tasks (id, strategy_id, trace_id) VALUES (gen_random_uuid(), 's', %s)"
SIMULATED = "UPDATE trade_tasks SET status = 'SIMULATED' WHERE trace_id = %s"
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def owner(postgres: Postgres) -> str:
    """Conninfo of the owner of a database with Zone B's tables, ready to be watched."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER defi").format(sql.Identifier(DATABASE))
        )
    migrate(make_conninfo(postgres.owner_dsn, dbname=DATABASE))
    with psycopg.connect(postgres.admin_dsn, dbname=DATABASE) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO harness_observer")
        connection.execute(
            "CREATE PUBLICATION harness_watch FOR TABLE trade_tasks"
            " WITH (publish = 'insert, update')"
        )
    return make_conninfo(postgres.owner_dsn, dbname=DATABASE)


@pytest.fixture
def make_observer(
    postgres: Postgres, redis_server: Redis, owner: str, tmp_path: Path
) -> Iterator[Callable[..., Observer]]:
    """Makes observers that end with the test."""
    made: list[Observer] = []

    def make(way: ObservationMethod, run_tag: int, **changes: Any) -> Observer:
        plan = ObserverPlan(
            observer_dsn=SecretStr(make_conninfo(postgres.observer_dsn, dbname=DATABASE)),
            redis_url=SecretStr(redis_server.url),
            run_tag=run_tag,
            folder=tmp_path,
            method=way,
        )
        made.append(Observer(plan.model_copy(update=changes), CLOCK))
        return made[-1]

    yield make
    for observer in made:
        observer.stop()


class Writers:
    """Threads that commit signals as an engine does, and in ways that are hard to watch.

    Attributes:
        traces: what was committed as SIMULATED, by (high, low).
    """

    def __init__(self, owner: str, run_tag: int, per_writer: int, writers: int = 4) -> None:
        self._owner = owner
        self._run_tag = run_tag
        self._per_writer = per_writer
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(writers)]
        self.traces: set[tuple[int, int]] = set()

    def start(self) -> None:
        """Begin to commit."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the last commit."""
        for thread in self._threads:
            thread.join(30)

    def _write(self, agent: int) -> None:
        with psycopg.connect(self._owner, autocommit=True) as connection:
            for index in range(self._per_writer):
                key = trace_id.pack(self._run_tag, agent, index)
                trace = trace_id.text(*key)
                connection.execute(INSERT, (trace,))
                with connection.transaction(force_rollback=index % 10 == 3):
                    # A savepoint writes under an id of its own, younger than its transaction's.
                    with connection.transaction():
                        connection.execute(SIMULATED, (trace,))
                    if index % 25 == 0:
                        connection.execute("SELECT pg_sleep(0.03)")
                if index % 10 != 3:
                    self.traces.add(key)


def sightings_of(folder: Path, state: State) -> Records:
    """Sightings in a state."""
    records, torn = read_records(folder / "sightings.bin", SIGHTING)
    assert torn == 0
    chosen: Records = records[records["state"] == state]
    return chosen


def keys_of(records: Records) -> list[tuple[int, int]]:
    """Trace ids of sightings, in order."""
    return list(zip(records["trace_hi"].tolist(), records["trace_lo"].tolist(), strict=True))


@pytest.mark.parametrize("way", [ObservationMethod.LOGICAL, ObservationMethod.POLLING])
def test_every_commit_is_seen_once(
    way: ObservationMethod, make_observer: Callable[..., Observer], owner: str, tmp_path: Path
) -> None:
    """Four writers with savepoints, rollbacks and slow transactions: nothing lost, none twice."""
    run_tag = trace_id.new_run_tag()
    observer = make_observer(way, run_tag)
    observer.start()
    writers, foreign = Writers(owner, run_tag, 150), Writers(owner, run_tag ^ 1, 5)
    for crowd in (writers, foreign):
        crowd.start()
    for crowd in (writers, foreign):
        crowd.join()
    observer.stop()

    seen = sightings_of(tmp_path, State.SIMULATED)
    assert sorted(keys_of(seen)) == sorted(writers.traces)
    assert (seen["commit_us"] > 0).all()
    done = observer.latest
    assert done is not None
    assert (done["kind"], done["drained"], done["final"]) == ("done", True, len(seen))
    assert observer.failure() is None
    if (
        way is ObservationMethod.LOGICAL
    ):  # a poll may come after INIT was replaced, and never sees other runs
        assert len(set(keys_of(sightings_of(tmp_path, State.INIT)))) == 4 * 150
        assert done["foreign"] > 0
    facts = json.loads((tmp_path / "observer.json").read_text())
    assert (facts["way"], facts["gaps"], facts["seen"]) == (way.value, 0, done["seen"])
    probes = (tmp_path / "clock.jsonl").read_text().splitlines()
    assert sum('"postgres"' in line for line in probes) >= 2
    assert sum('"redis"' in line for line in probes) >= 2


@pytest.mark.parametrize("way", [ObservationMethod.LOGICAL, ObservationMethod.POLLING])
def test_lost_connections_are_bridged(
    way: ObservationMethod,
    make_observer: Callable[..., Observer],
    owner: str,
    postgres: Postgres,
    tmp_path: Path,
) -> None:
    """Connections cut under load: what is committed meanwhile is read by query, once."""
    run_tag = trace_id.new_run_tag()
    observer = make_observer(way, run_tag)
    observer.start()
    writers = Writers(owner, run_tag, 120)
    writers.start()
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        for _ in range(2):
            connection.execute(
                "SELECT pg_sleep(0.2), pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'harness_observer%'"
            )
    writers.join()
    observer.stop()
    assert sorted(keys_of(sightings_of(tmp_path, State.SIMULATED))) == sorted(writers.traces)
    done = observer.latest
    assert done is not None
    assert done["gaps"] >= 1
    assert done["drained"] is True


def test_killed_observer_is_noticed_and_leaves_no_slot(
    make_observer: Callable[..., Observer], postgres: Postgres
) -> None:
    """Killed by -9: its end is reported with the signal, and the server keeps nothing for it."""
    observer = make_observer(ObservationMethod.LOGICAL, 5)
    observer.start()
    assert observer.failure() is None
    os.kill(observer.pid, signal.SIGKILL)
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM pg_replication_slots").fetchall():
            assert CLOCK.now_ns() < deadline_ns
            CLOCK.sleep_ns(20 * NS_PER_MS)
    failure = observer.failure()
    assert failure is not None
    assert "signal 9" in failure


def test_missing_publication_is_reported_at_once(make_observer: Callable[..., Observer]) -> None:
    """A publication that is not there is named, with the statement that makes it."""
    observer = make_observer(ObservationMethod.LOGICAL, 5, contract=Contract(publication="nobody"))
    with pytest.raises(StackError, match='CREATE PUBLICATION "nobody" FOR TABLE "trade_tasks"'):
        observer.start()


def test_open_transaction_delays_logical_decoding_and_is_reported(
    postgres: Postgres, owner: str
) -> None:
    """A slot waits for transactions that write; not for ever, and the server is left clean."""
    dsn = make_conninfo(postgres.observer_dsn, dbname=DATABASE)
    watcher = LogicalWatcher(dsn, Contract(), "harness_waits", CLOCK)
    with psycopg.connect(owner) as connection:
        connection.execute(INSERT, (trace_id.text(*trace_id.pack(1, 1, 1)),))
        begin_ns = CLOCK.now_ns()
        with pytest.raises(WatcherLost, match="CREATE_REPLICATION_SLOT was not answered in time"):
            watcher.open(begin_ns + NS_PER_S // 4)
        assert CLOCK.now_ns() - begin_ns < 5 * NS_PER_S
        connection.rollback()
    watcher.open(CLOCK.now_ns() + 5 * NS_PER_S)
    watcher.close()
