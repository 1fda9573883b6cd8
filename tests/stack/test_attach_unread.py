"""A foreign system that cannot be read to the end, or moves on by itself: no false accusation."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.stack.conftest import Postgres, Redis
from tests.stack.external_system import Attached, ExternalSystem

READER = "desk_reader"

pytestmark = [pytest.mark.stack, pytest.mark.pair]

OPTIONS = (
    *("--set", 'objectives=["p90 < 2 s", "rejected < 1 %"]'),
    *("--set", "load.stages.0.duration_s=4.0", "--set", "load.stages.0.rate_from=30"),
    *("--set", "load.drain_s=4.0", "--set", "telemetry.enabled=false"),
)
GOOD = {0, 3}
# Steps of a program beside the desk in one run: 100 s at the shortest pause between two.
STEPS_MAX = 20_000
Step = Callable[["psycopg.Connection[Any]"], None]


@pytest.fixture(scope="module")
def external(postgres: Postgres, redis_server: Redis) -> ExternalSystem:
    """The desk's servers and users."""
    made = ExternalSystem(postgres, redis_server, "unread")
    made.prepare()
    return made


@pytest.fixture
def plain(external: ExternalSystem) -> Iterator[ExternalSystem]:
    """The desk, put back as it was after the test."""
    yield external
    with psycopg.connect(external.postgres.admin_dsn, dbname=external.database) as admin:
        admin.execute(f"ALTER ROLE {READER} LOGIN NOBYPASSRLS".encode())
        for table in ("jobs", "postings"):
            admin.execute(f"ALTER TABLE desk.{table} DISABLE ROW LEVEL SECURITY".encode())
        admin.execute("ALTER TABLE desk.jobs ALTER phase TYPE text")


@contextmanager
def in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Runs in a thread of its own, which is to return once the event is set."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def beside(
    external: ExternalSystem, step: Step, *, every_s: float = 0.005
) -> AbstractContextManager[None]:
    """Another program of the team's, at work while the desk is."""

    def work(ended: threading.Event) -> None:
        with psycopg.connect(
            external.postgres.admin_dsn, dbname=external.database, autocommit=True
        ) as connection:
            for _ in range(STEPS_MAX):
                step(connection)
                if ended.wait(every_s):
                    return

    return in_background(work)


def is_at_work(connection: psycopg.Connection[Any]) -> bool:
    """Whether the observer watches and the desk has work."""
    row = connection.execute(
        "SELECT count(*) FROM desk.jobs WHERE touched > now() - interval '3 s'"
    ).fetchone()
    return row is not None and row[0] >= 40


def bar_login(connection: psycopg.Connection[Any]) -> None:
    """The team bars the login in mid-run."""
    if not is_at_work(connection):
        return
    connection.execute(f"ALTER ROLE {READER} NOLOGIN".encode())
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (READER,)
    )


def touch(connection: psycopg.Connection[Any]) -> None:
    """Final rows are updated again."""
    connection.execute("UPDATE desk.jobs SET touched = clock_timestamp() WHERE phase = 'FILLED'")


def execute(connection: psycopg.Connection[Any]) -> None:
    """Filled orders are executed at once."""
    connection.execute("UPDATE desk.jobs SET phase = 'EXECUTED' WHERE phase = 'FILLED'")


def verdicts(run: Attached) -> dict[str, str]:
    """Of every check."""
    return {one["id"]: one["status"] for one in run.result["judgement"]["checks"]}


def test_a_login_barred_in_mid_run_has_lost_no_signal(
    plain: ExternalSystem, tmp_path: Path
) -> None:
    """INVALID, with the cause and a hint; what was never read is not judged."""
    with plain.open(), beside(plain, bar_login, every_s=0.05):
        run = plain.attach(tmp_path, *OPTIONS)
    assert run.code == 4, run.output
    assert "FAIL" not in verdicts(run).values(), run.output
    for name in ("signals_lost", "ledger_balanced", "nonces_contiguous"):
        assert run.check(name)["status"] == "NOT_APPLICABLE", run.output
        assert "not permitted to log in" in run.check(name)["message"]
    assert "not permitted to log in" in run.check("observer_complete")["message"]


@pytest.mark.parametrize("table", ["jobs", "postings"])
def test_rows_that_are_hidden_are_not_missing(
    table: str, plain: ExternalSystem, tmp_path: Path
) -> None:
    """Row-level security that comes in mid-run is named, with what the login needs."""

    def hide(connection: psycopg.Connection[Any]) -> None:
        if not is_at_work(connection):
            return
        connection.execute(f"ALTER TABLE desk.{table} ENABLE ROW LEVEL SECURITY".encode())

    with plain.open(), beside(plain, hide, every_s=0.05):
        run = plain.attach(tmp_path, *OPTIONS)
    assert run.code == 4, run.output
    assert "FAIL" not in verdicts(run).values(), run.output
    assert f"hide rows of desk.{table}" in run.check("final_state_read")["message"]
    assert run.check("ledger_balanced")["status"] == "NOT_APPLICABLE"


def test_rows_that_are_touched_again_are_no_second_effect(
    plain: ExternalSystem, tmp_path: Path
) -> None:
    """Every few milliseconds, all of them."""
    with plain.open(), beside(plain, touch):
        run = plain.attach(tmp_path, *OPTIONS)
    assert "FAIL" not in verdicts(run).values(), run.output
    assert run.check("effects_duplicated")["message"] == "no signal had an effect twice"
    assert run.check("fsm_transitions")["figures"]["reason"] == "observation_method"
    assert run.code in GOOD, run.output


@pytest.mark.parametrize("named", [True, False])
def test_a_system_that_moves_on_at_once(named: bool, plain: ExternalSystem, tmp_path: Path) -> None:
    """The contract says what the later state implies; without that its status is named."""
    changes = {"states.EXECUTED": "BEYOND"} if named else {}
    with plain.open(), beside(plain, execute):
        run = plain.attach(tmp_path, *OPTIONS, changes={"seen.pause_ms": 60, **changes})
    assert "FAIL" not in verdicts(run).values(), run.output
    if named:
        assert run.code in GOOD, run.output
    else:
        assert run.code == 4, run.output
        assert (
            "in a status without a name: 'EXECUTED' (" in run.check("final_state_read")["message"]
        )


def test_padded_statuses(plain: ExternalSystem, tmp_path: Path) -> None:
    """The padding of char(n) is no part of a value."""
    with psycopg.connect(plain.owner) as owner:
        owner.execute("ALTER TABLE desk.jobs ALTER phase TYPE char(12)")
    with plain.open():
        run = plain.attach(tmp_path, *OPTIONS)
    assert run.code in GOOD, run.output


def reported_early(external: ExternalSystem) -> AbstractContextManager[None]:
    """A program that reports every order as filled, as soon as it sees it."""

    def work(ended: threading.Event) -> None:
        last: Any = "$"
        with redis.Redis.from_url(external.redis.url) as client:
            for _ in range(STEPS_MAX):
                found: Any = client.xread({"desk.orders": last}, count=50, block=50)
                for entry, fields in found[0][1] if found else ():
                    last = entry
                    ref = json.loads(fields[b"msg"])["order"]["ref"]
                    client.xadd("desk.early", {"ref": ref, "phase": "FILLED"})
                if ended.is_set():
                    return

    return in_background(work)


@pytest.mark.parametrize(
    ("stream", "verdict"), [("desk.results", "PASS"), ("desk.early", "INVALID")]
)
def test_words_follow_commits(
    stream: str, verdict: str, plain: ExternalSystem, tmp_path: Path
) -> None:
    """A word that comes 300 ms before the desk takes the order up is found, and by how much."""
    seen = {
        "way": "stream",
        "stream": stream,
        "format": "fields",
        "trace_id": "ref",
        "status": "phase",
    }
    with plain.open("late:300"), reported_early(plain):
        run = plain.attach(tmp_path, *OPTIONS, changes={"seen": seen})
    found = run.check("reports_after_commit")
    assert found["status"] == verdict, run.output
    assert found["figures"]["words"] > 0
    assert ("the system reports before it commits" in found["message"]) == (verdict == "INVALID")
