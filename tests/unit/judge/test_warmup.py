"""A warm-up of which nothing arrived is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.contract.names import State
from harness.evidence.records import PushStatus
from harness.judge.verdict import Verdict
from harness.scenario import Load, Phase, Stage
from tests.unit.analysis.evidence import World, healthy, load_of, without
from tests.unit.analysis.trace_keys import keys
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

NAME = "warmup_effective"
Mask = NDArray[np.bool_]


def early(world: World, part: float = 1.0) -> Mask:
    """The first part of the warm-up's signals."""
    chosen: Mask = world.attempts[0]["stage"] == 0
    chosen[round(part * chosen.sum()) :] = False
    return chosen


def refuse(world: World, chosen: Mask) -> None:
    """Redis refuses them, so that they have no effects, and nobody counts them."""
    world.reject(world.attempts[0][chosen], State.INVARIANT_BROKEN)
    gone = keys(world.attempts[0][chosen])
    world.sightings = without(world.sightings, np.isin(keys(world.sightings), gone))
    assert world.tasks is not None
    world.tasks = without(world.tasks, np.isin(keys(world.tasks), gone))
    acks = world.acks[0]
    hit = np.isin(keys(acks), gone)
    acks["outcome"][hit] = PushStatus.REFUSED
    violations.stream(world)["entries_added"] -= int(hit.sum())


def reject(world: World, chosen: Mask) -> None:
    """The engine rejects them."""
    world.reject(world.attempts[0][chosen], State.STALE_DATA_ERROR)


def said_of(world: World, reports: Path) -> tuple[dict[str, Verdict], str]:
    """What is unclean, and what is said of the warm-up."""
    found = assessed(world, reports)
    check = next((one for one in found.judgement.checks if one.id == NAME), None)
    return unclean(found), check.message if check else ""


@pytest.mark.parametrize(("act", "text"), [(refuse, "refused by Redis"), (reject, "rejected")])
def test_warmup_of_which_nothing_arrived_is_invalid(
    act: Callable[[World, Mask], None], text: str, tmp_path: Path
) -> None:
    """It is in no objective, so nothing else would show it."""
    world = healthy(None, "p99 < 500 ms", "rejected < 1 %")
    chosen = early(world)
    act(world, chosen)
    found, said = said_of(world, tmp_path)
    assert found == {NAME: Verdict.INVALID}
    assert f"0 of {chosen.sum()} signals of the warm-up" in said
    assert f"({chosen.sum()} {text})" in said


@pytest.mark.parametrize("act", [refuse, reject])
def test_warmup_of_which_a_part_arrived_is_reported(
    act: Callable[[World, Mask], None], tmp_path: Path
) -> None:
    """An engine may still have been starting."""
    world = healthy(None, "p99 < 500 ms", "rejected < 1 %")
    act(world, early(world, 0.3))
    found, said = said_of(world, tmp_path)
    assert not found
    assert "(" in said


def test_lost_warmup_is_a_failure_anyway(tmp_path: Path) -> None:
    """A lost signal is lost, whenever it was sent."""
    world = healthy()
    violations.drop(world, 5)
    assert said_of(world, tmp_path)[0]["signals_lost"] is Verdict.FAIL


def test_rejections_that_the_measured_phase_has_too_are_no_cold_start(tmp_path: Path) -> None:
    """A system that rejects most has such an objective, and is judged by it."""
    world = healthy(None, "p50 < 500 ms", "rejected < 90 %")
    chosen = np.arange(len(world.attempts[0])) % 5 > 0
    reject(world, chosen)
    assert NAME not in said_of(world, tmp_path)[0]


def test_a_stage_left_out_of_the_verdict_is_no_warmup(tmp_path: Path) -> None:
    """Only what comes before the first measured stage warms up."""
    stage = Stage(agents=5, rate_from=100.0, rate_to=100.0, duration_s=10.0)
    middle = stage.model_copy(update={"phase": Phase.WARMUP, "duration_s": 2.0})
    load = Load(stages=(stage, middle, stage), warmup_s=1.0, drain_s=5.0)
    world = healthy(load, "p99 < 500 ms", "rejected < 1 %")
    reject(world, world.attempts[0]["stage"] == 2)
    found, said = said_of(world, tmp_path)
    assert not found
    assert "(" not in said


def test_without_a_warmup_there_is_nothing_to_say(tmp_path: Path) -> None:
    """No check where nothing was to warm up; a handful of signals tells no share."""
    assert said_of(healthy(load_of(warmup_s=0.0)), tmp_path) == ({}, "")
    world = healthy(load_of(warmup_s=0.1))
    reject(world, early(world))
    assert said_of(world, tmp_path)[0] == {}
