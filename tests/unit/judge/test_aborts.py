"""A run that was ended early: FAIL by its evidence, or INVALID, never a PASS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.judge.verdict import Status, Verdict
from harness.scenario import SLO
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy
from tests.unit.judge.assessing import assessed, unclean
from tests.unit.judge.spoilers import half_sent

WATCHED = "p99 over any 2 s < 500 ms"


def aborted(delay_ms: int, *, abort_on_fail: bool = True) -> World:
    """A run whose load ended half way, because of a promise that was watched."""
    world = healthy(None, "rate >= 99 %", delays=lambda n: np.full(n, delay_ms * MS))
    promise = SLO(objective=WATCHED, abort_on_fail=abort_on_fail)
    world.scenario = world.scenario.model_copy(update={"objectives": (promise, "rate >= 99 %")})
    half_sent(world)
    world.event("aborted", T0_NS + 11 * S)
    return world


def test_the_objective_that_ended_it_is_the_reason(tmp_path: Path) -> None:
    """FAIL, and the objective comes first; that less was sent than asked is told as what it is."""
    found = assessed(aborted(700), tmp_path).judgement
    assert found.verdict is Verdict.FAIL
    assert found.reasons[0].name == WATCHED
    early = next(check for check in found.checks if check.id == "abort_justified")
    assert early.status is Status.PASS
    assert early.message == (
        "the load was ended at 11.0 s, because of made up; the evidence confirms it"
    )
    load = next(check for check in found.checks if check.id == "load_attempted")
    assert load.status is Status.INVALID
    assert "the load was ended early" in load.message
    rate = next(check for check in found.checks if check.id == "rate_share")
    assert rate.status is Status.INVALID
    assert "cut short (aborted)" in rate.message


def test_evidence_that_does_not_agree_makes_it_invalid(tmp_path: Path) -> None:
    """What was seen on the way is no verdict."""
    found = assessed(aborted(10), tmp_path)
    assert found.judgement.verdict is Verdict.INVALID
    assert unclean(found)["abort_justified"] is Verdict.INVALID


def test_only_a_watched_objective_is_a_reason(tmp_path: Path) -> None:
    """An objective that was not to end the run does not excuse its end."""
    found = assessed(aborted(700, abort_on_fail=False), tmp_path)
    assert unclean(found)["abort_justified"] is Verdict.INVALID


def test_full_length_does_not_make_an_aborted_run_pass(tmp_path: Path) -> None:
    """Even where every signal was sent by then, an aborted run is no PASS."""
    world = healthy(None, WATCHED)
    world.event("aborted", T0_NS + 20 * S)
    assert assessed(world, tmp_path).judgement.verdict is Verdict.INVALID


def test_runs_that_went_to_their_end_say_nothing_of_it(tmp_path: Path) -> None:
    """No check without an abort."""
    found = assessed(healthy(None, WATCHED), tmp_path).judgement
    assert "abort_justified" not in [check.id for check in found.checks]
