"""What the engine rejects without excuse never arrives: it lies beyond every limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contract.names import State
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import MS, World, healthy, load_of
from tests.unit.judge import spoilers, violations
from tests.unit.judge.assessing import assessed, id_of, unclean


def rejecting(
    every: int, *objectives: str, slow_every: int = 0, state: State = State.SIMULATION_TIMEOUT
) -> World:
    """Every so many signals are rejected, and every so many others take 2 s."""

    def delays(number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        at = np.arange(number)
        slow = at % slow_every == 7 if slow_every else np.zeros(number, dtype=np.bool_)
        return np.where(slow, 2_000, 10) * MS

    world = healthy(load_of(rate=200.0, duration_s=40.0), *objectives, delays=delays)
    violations.reject(world, np.arange(len(world.attempts[0])) % every == 3, state)
    return world


def test_two_budgets_do_not_add_up(tmp_path: Path) -> None:
    """Each share is below 1 %, and 1.7 % of all signals do not arrive within the limit."""
    world = rejecting(115, "p99 < 500 ms", "rejected < 2 %", slow_every=115)
    found = assessed(world, tmp_path)
    assert unclean(found) == {"latency_p99": Verdict.FAIL}
    check = next(one for one in found.judgement.checks if one.id == "latency_p99")
    figures = found.measurement.of("latency", "measure", "lite")
    assert figures is not None
    assert figures.censored == figures.rejected > 60
    assert f"{figures.rejected} rejected signals never arrived: beyond every limit" in check.message


@pytest.mark.parametrize(
    "objective", ["p99 < 60 s", "p99 of service < 60 s", "p99 over any 10 s < 60 s", "max < 60 s"]
)
def test_no_limit_is_longer_than_never(objective: str, tmp_path: Path) -> None:
    """5 % rejected: the watching was shorter than the limit, and it makes no difference."""
    assert unclean(assessed(rejecting(20, objective), tmp_path))[id_of(objective)] is Verdict.FAIL


def test_few_rejections_leave_a_percentile_as_it_is(tmp_path: Path) -> None:
    """Half a percent is beyond the limit, and the P99 is not."""
    world = rejecting(200, "p99 < 500 ms", "rejected < 1 %", "max of lateness < 1 s")
    assert unclean(assessed(world, tmp_path)) == {}


@pytest.mark.parametrize("objective", ["p99 < 500 ms", "p99 over any 10 s < 500 ms", "max < 1 s"])
def test_stale_data_of_a_late_generator_are_no_latency_of_the_system(
    objective: str, tmp_path: Path
) -> None:
    """Other rejections are, and so are those of a generator that was on time."""
    for state, late, verdict in (
        (State.STALE_DATA_ERROR, True, Verdict.INVALID),
        (State.INVARIANT_BROKEN, True, Verdict.FAIL),
        (State.STALE_DATA_ERROR, False, Verdict.FAIL),
    ):
        world = rejecting(20, objective, state=state)
        if late:
            spoilers.late(world)
        assert unclean(assessed(world, tmp_path))[id_of(objective)] is verdict, (state, late)


def test_rejections_outside_of_faults_count_there(tmp_path: Path) -> None:
    """Without a fault that is all of them."""
    objective = "p99 < 60 s outside faults"
    assert unclean(assessed(rejecting(20, objective), tmp_path))[id_of(objective)] is Verdict.FAIL
