"""What no objective limits, or nothing could show, is no PASS either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contract.names import State
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import healthy, without
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, id_of, unclean


@pytest.mark.parametrize("objective", ["max < 60 s", "p99 over any 5 s < 30 s"])
def test_limits_longer_than_the_wait_say_nothing_of_what_never_came(
    objective: str, tmp_path: Path
) -> None:
    """A lost signal had less time than the limit; nobody knows how long it would have needed."""
    world = healthy(None, objective)
    violations.lose(world)
    assert unclean(assessed(world, tmp_path))[id_of(objective)] is Verdict.INCONCLUSIVE


def test_a_plan_of_another_scenario_is_invalid(tmp_path: Path) -> None:
    """What was asked and what was done are one."""
    world = healthy()
    world.scenario = world.scenario.model_copy(update={"seed": 99})
    found = unclean(assessed(world, tmp_path))
    assert found == {"journal_matches_plan": Verdict.INVALID}


def test_row_versions_that_nobody_could_read(tmp_path: Path) -> None:
    """On servers of our own each of them may be the duplicate."""
    world = healthy()
    world.stack = {"kind": "process"}
    world.observer["unreadable"] = 1
    found = unclean(assessed(world, tmp_path))
    assert found["observer_complete"] is Verdict.INVALID


def test_a_percentile_missed_in_an_interrupted_run_is_open(tmp_path: Path) -> None:
    """What a person cut off may have kept it; what is kept all the same is kept."""
    world = healthy(None, "p50 < 5 ms", "p99 < 500 ms")
    world.event("interrupted")
    found = unclean(assessed(world, tmp_path))
    assert found["latency_p50"] is Verdict.INCONCLUSIVE
    assert "latency_p99" not in found


def test_arrivals_that_nobody_saw_may_be_the_fastest(tmp_path: Path) -> None:
    """Six of ten leave no lower bound of a median latency; when they were sent is known."""
    objectives = ("p50 < 5 ms", "p50 of lateness < 0.1 ms")
    world = healthy(None, *objectives)
    finals = world.sightings["state"] == State.SIMULATED
    world.sightings = without(world.sightings, finals & (np.arange(len(finals)) % 5 < 3))
    checks = {one.id: one for one in assessed(world, tmp_path).judgement.checks}
    latency, lateness = (checks[id_of(text)] for text in objectives)
    assert latency.figures["lower_ns"] is None
    assert latency.status is Status.INCONCLUSIVE
    assert lateness.figures["lower_ns"] == lateness.figures["estimate_ns"]
    assert lateness.status is Status.FAIL
