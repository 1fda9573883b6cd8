"""What becomes final only after the drain deadline is late, and nothing else is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.assessment.assess import Assessment
from harness.judge.check import Check, CheckKind
from harness.judge.deadline import DRAIN_DEADLINE
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, in_order, load_of, server_us
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

# Far beyond the load, so that late signals are a small share of few latencies.
DEADLINE_NS = T0_NS + 22 * S


def reported(found: Assessment) -> Check:
    """The check."""
    return next(check for check in found.judgement.checks if check.id == DRAIN_DEADLINE.id)


def late(world: World, by_ns: int, signals: int = 1, *, committed: bool = True) -> World:
    """The last signals are final so long after the deadline; the watching goes on a little."""
    world.run["drain_deadline_ns"] = DEADLINE_NS
    world.run["observation_end_ns"] = DEADLINE_NS + S
    for number in range(len(world.attempts[0]) - signals, len(world.attempts[0])):
        own = world.of(world.sightings, number)
        final = own & (world.sightings["seen_ns"] == world.sightings["seen_ns"][own].max())
        world.sightings["seen_ns"][final] = DEADLINE_NS + by_ns
        if committed:
            world.sightings["commit_us"][final] = server_us(np.array([DEADLINE_NS + by_ns]))
    world.sightings = in_order(world.sightings, "seen_ns")
    return world


def test_final_after_the_deadline_fails(tmp_path: Path) -> None:
    """It is reported with number, deadline and names, and no other check fails for it."""
    found = assessed(late(healthy(), 300 * MS, 3), tmp_path)
    assert unclean(found) == {DRAIN_DEADLINE.id: Verdict.FAIL}
    check = reported(found)
    assert check.kind is CheckKind.OBJECTIVE
    assert check.message == (
        "3 signals became final only after the drain deadline, 5 s after the load's end (at 22.0 s)"
    )
    assert len(check.examples) == 3
    assert found.measurement.account.lost == 0


def test_committed_before_and_seen_after_is_not_decided(tmp_path: Path) -> None:
    """The observer may have been slow; that is no proof against the system."""
    found = assessed(late(healthy(), 300 * MS, committed=False), tmp_path)
    assert reported(found).status is Status.INCONCLUSIVE
    assert "too slow to decide" in reported(found).message


def test_lost_signals_are_not_late(tmp_path: Path) -> None:
    """They have a check of their own."""
    world = healthy()
    violations.lose(world)
    assert unclean(assessed(world, tmp_path)) == {"signals_lost": Verdict.FAIL}


def test_without_a_drain_nothing_is_judged(tmp_path: Path) -> None:
    """And it is said."""
    world = healthy()
    world.run["drain_deadline_ns"] = 0
    check = reported(assessed(world, tmp_path))
    assert check.status is Status.NOT_APPLICABLE
    assert check.figures == {"reason": "drain_skipped"}


@settings(max_examples=12, deadline=None)
@given(by_ns=st.integers(-400 * MS, 400 * MS), signals=st.integers(1, 25))
def test_the_deadline_is_exact(by_ns: int, signals: int) -> None:
    """At the deadline is in time; what comes later counts, however little later it is."""
    world = late(healthy(load_of(rate=20)), by_ns, signals)
    with tempfile.TemporaryDirectory() as folder:
        check = reported(assessed(world, Path(folder)))
    assert check.figures["seen_late"] == (signals if by_ns > 0 else 0)
    assert len(check.examples) == (min(signals, 20) if by_ns > 0 else 0)


@pytest.mark.parametrize("by_ns", [0, 1])
def test_the_edge(tmp_path: Path, by_ns: int) -> None:
    """Exactly at the deadline is in time; a nanosecond later is seen late."""
    assert reported(assessed(late(healthy(), by_ns), tmp_path)).figures["seen_late"] == by_ns
