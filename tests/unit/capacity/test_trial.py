"""What a trial says of its level, from the evidence of its run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.capacity.trials import Answer, Purpose, TrialRequest
from harness.assessment.assess import assess
from harness.assessment.capacity import TrialFigures
from harness.errors import EvidenceError, UsageError
from harness.experiments.capacity_trial import trial_figures, trial_scenario
from harness.judge.verdict import Verdict
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis
from tests.unit.analysis.evidence import MS, World, healthy, load_of, scenario_of
from tests.unit.capacity.searches import base

S = 1_000 * MS
Delays = Callable[[int], NDArray[np.int64]]
RATE = 20.0


def request(level: float = RATE, **changes: object) -> TrialRequest:
    """A trial of fixed length, long enough to see a backlog grow."""
    values = {
        "number": 3,
        "level": level,
        "purpose": Purpose.BISECT,
        "length_s": 40.0,
        "until_decided_s": 40.0,
        "confidence": 0.95,
        "confidence_broken": 0.95,
    }
    return TrialRequest.model_validate(values | changes)


def small(*objectives: str) -> Scenario:
    """A base with little load."""
    return scenario_of(load_of(rate=10.0, duration_s=5.0), *objectives)


def growing(count: int) -> NDArray[np.int64]:
    """Each signal later than the one before, as in a queue that is overloaded."""
    return np.linspace(10 * MS, 30 * S, count).astype(np.int64)


def figures(
    path: Path,
    delays: Delays | None = None,
    change: Callable[[World], None] = lambda _: None,
    objectives: tuple[str, ...] = ("p99 < 500 ms",),
) -> TrialFigures:
    """Of a trial with such delays."""
    own = trial_scenario(small(*objectives), CapacityAxis.RATE, request())
    world = healthy(own.load, seed=own.seed, delays=delays)
    world.scenario = own
    change(world)
    folder = world.write(path)
    run = (assess(folder), folder)
    return trial_figures(small(*objectives), CapacityAxis.RATE, request(), run, 50.0)


def test_a_level_that_is_met(tmp_path: Path) -> None:
    """PASS is met; the backlog was seen, and is stable."""
    found = figures(tmp_path)
    assert (found.answer, found.verdict) == (Answer.MET, Verdict.PASS)
    assert found.is_backlog_stable is True
    assert (found.agents, found.rate, found.measured_s) == (5, RATE, 40.0)
    assert found.sent == pytest.approx(RATE, rel=0.2)
    (objective,) = found.latency
    assert objective.limit_ns == 500 * MS
    assert objective.upper_ns is not None
    assert objective.upper_ns < objective.limit_ns
    assert found.deciding == objective


def test_a_backlog_that_grows_is_broken_whatever_else(tmp_path: Path) -> None:
    """Also in a run that is INVALID: overload makes a generator on the same host late."""
    lenient = ("p99 < 60 s",)
    found = figures(tmp_path, growing, lambda world: world.event("swarm_died"), lenient)
    assert (found.verdict, found.answer) == (Verdict.INVALID, Answer.BROKEN)
    assert found.is_backlog_stable is False
    assert (found.backlog_growth or 0.0) > 1
    assert found.backlog_max is not None
    assert found.backlog_max > 100


def test_an_invalid_run_says_nothing(tmp_path: Path) -> None:
    """Its load was not the one asked for."""
    found = figures(tmp_path, None, lambda world: world.event("swarm_died"))
    assert (found.answer, found.verdict) == (Answer.INVALID, Verdict.INVALID)
    assert found.reasons


def test_slow_and_stable_is_broken(tmp_path: Path) -> None:
    """FAIL is broken, and the backlog is stable all the same."""
    found = figures(tmp_path, lambda count: np.full(count, 900 * MS, dtype=np.int64))
    assert (found.answer, found.verdict) == (Answer.BROKEN, Verdict.FAIL)
    assert found.is_backlog_stable is True


@pytest.mark.parametrize(
    ("confidence", "answer"),
    [(0.8, Answer.MET), (0.88, Answer.UNDECIDED), (0.95, Answer.UNDECIDED)],
)
def test_the_search_may_ask_for_less_confidence(
    tmp_path: Path, confidence: float, answer: Answer
) -> None:
    """204 independent signals: 299 are needed at 95 %, 265 at 93 %, and 189 at 85 %."""
    short = request(length_s=14.0, until_decided_s=14.0, confidence=confidence)
    own = trial_scenario(small(), CapacityAxis.RATE, short)
    world = healthy(own.load, seed=own.seed)
    world.scenario = own
    folder = world.write(tmp_path)
    found = trial_figures(small(), CapacityAxis.RATE, short, (assess(folder), folder), 1.0)
    assert (found.verdict, found.answer) == (Verdict.INCONCLUSIVE, answer)


def test_the_evidence_is_that_of_the_trial(tmp_path: Path) -> None:
    """A run at another level is not it."""
    own = trial_scenario(small(), CapacityAxis.RATE, request(RATE + 1))
    world = healthy(own.load, seed=own.seed)
    world.scenario = own
    folder = world.write(tmp_path)
    with pytest.raises(EvidenceError, match="is not trial 3"):
        trial_figures(small(), CapacityAxis.RATE, request(), (assess(folder), folder), 1.0)


def test_each_axis_changes_one_figure() -> None:
    """And leaves the others as they are."""
    before = base()
    stage = before.load.stages[0]

    def at(axis: CapacityAxis, level: float) -> Scenario:
        return trial_scenario(before, axis, request(level))

    assert at(CapacityAxis.RATE, 300).load.stages[0].rate_from == 300
    assert at(CapacityAxis.RATE, 300).load.stages[0].agents == stage.agents
    agents = at(CapacityAxis.AGENTS, 100).load.stages[0]
    assert (agents.agents, agents.rate_from) == (100, 100 * stage.rate_from / stage.agents)
    hot = at(CapacityAxis.HOT_SHARE, 0.3)
    assert (hot.signals.addresses, hot.signals.hot_share) == ("hot", 0.3)
    assert hot.load.stages[0].rate_from == stage.rate_from
    assert at(CapacityAxis.HOT_SHARE, 0).signals.addresses == "distinct"
    assert at(CapacityAxis.FULL_SHARE, 0.2).signals.full_share == 0.2


def test_a_trial_may_go_on_until_it_is_decided() -> None:
    """At twice its length, and at the end."""
    own = trial_scenario(base(), CapacityAxis.RATE, request(until_decided_s=120.0))
    assert own.load.analysis_times_s() == (40.0, 80.0, 120.0)


def test_a_level_that_no_load_can_have() -> None:
    """With the key."""
    with pytest.raises(UsageError, match="agents"):
        trial_scenario(base(), CapacityAxis.AGENTS, request(1_000_000))
