"""Lock waits are reported without the literals of their statements."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.telemetry.lock_waits import LockWaitSummary, Waiter, is_for_update, summarize_statement
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sources.postgres import kind_of

WAITER = Waiter(7, "nonce_locks", True, "SELECT ...", True, 40.0, (("active", "UPDATE x"),))


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("SELECT  1\nFROM t", "SELECT ? FROM t"),
        ("SELECT x FROM t WHERE a = $1 AND b = 'o''Brien' AND c = 3.5", None),
        ("UPDATE t2 SET a='unfinished", "UPDATE t2 SET a=?"),
        ("", ""),
    ],
)
def test_a_summary_has_no_literals(statement: str, summary: str | None) -> None:
    """Parameters stay, literals go, names with digits stay."""
    assert summarize_statement(statement) == (
        summary if summary is not None else "SELECT x FROM t WHERE a = $1 AND b = ? AND c = ?"
    )


@given(
    st.text(st.characters(exclude_characters="'\u2603")),
    st.text(st.characters(categories=["L"], codec="ascii"), min_size=3),
)
def test_no_literal_gets_through(before: str, secret: str) -> None:
    """Nothing between quotes is reported."""
    statement = f"SELECT {before} '{secret}\u2603'"
    assert "\u2603" not in summarize_statement(statement)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT nonce FROM nonce_locks WHERE address = $1 FOR UPDATE", "select_for_update"),
        ("\nselect x from t for no key update", "select_for_update"),
        ("SELECT 'FOR UPDATE'", "select"),
        ("WITH a AS (SELECT 1) UPDATE t SET x = 1", "update"),
        ("insert into t values (1)", "insert"),
        ("BEGIN", "other"),
        ("", "other"),
    ],
)
def test_kinds_of_statements(statement: str, kind: str) -> None:
    """Locking reads are a kind of their own."""
    assert kind_of(statement) == kind
    assert is_for_update(statement) == (kind == "select_for_update")


def test_polls_between_samples_are_summarised() -> None:
    """The maxima of counts and waits, and the share of polls with a waiter."""
    lines: list[str] = []
    batch, waits = SampleBatch("postgres", lines.append), LockWaitSummary()
    waits.add((), 0)
    waits.write_to(batch)
    batch.end(NS_PER_S)
    other = replace(WAITER, pid=8, relation="trade_tasks", is_nonce=False, waited_ms=90.0)
    for number, waiters in enumerate(
        ((), (WAITER, other), (replace(WAITER, waited_ms=240.0),), ())
    ):
        waits.add(waiters, NS_PER_S + number)
    waits.write_to(batch)
    batch.end(2 * NS_PER_S)
    waits.write_to(batch)  # no poll since: nothing to report
    found = read_telemetry("".join(lines), 0)
    newest = {name: track.values[-1] for name, track in found.time_series.items()}
    assert newest == {
        "postgres.lock_waiters_count": 2,
        "postgres.nonce_waiters_count": 1,
        "postgres.nonce_wait_ms": 240,
        "postgres.lock_waiting_share": 0.5,
        "postgres.nonce_waiting_share": 0.5,
    }
    assert [(wait.relation, wait.waited_ms) for wait in found.lock_waits] == [
        ("trade_tasks", 90.0),
        ("nonce_locks", 240.0),
    ]
    assert found.lock_waits[1].holders == (("active", "UPDATE x"),)


def test_many_waiters_are_counted_and_few_are_named() -> None:
    """A storm of waits fills no disk."""
    lines: list[str] = []
    batch, waits = SampleBatch("postgres", lines.append), LockWaitSummary()
    waits.add([replace(WAITER, pid=pid, waited_ms=float(pid)) for pid in range(1, 51)], 1)
    waits.write_to(batch)
    batch.end(1)
    found = read_telemetry("".join(lines), 0)
    assert found.time_series["postgres.nonce_waiters_count"].values == (50.0,)
    assert sorted(wait.waited_ms for wait in found.lock_waits) == [float(n) for n in range(43, 51)]
