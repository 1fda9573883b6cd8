"""The windows of faults have an end, so that one fault does not explain the rest of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.analysis.faults.recovery import DISTURBANCES_MAX
from harness.judge.verdict import Status, Verdict
from harness.scenario import Scenario
from tests.unit.analysis.evidence import MS, T0_NS, Delays, S, World, healthy, load_of
from tests.unit.judge.assessing import assessed, id_of, unclean
from tests.unit.judge.test_faults import KILL, check_of, killed, late_sending

APART = "p99 < 100 ms outside faults"
CHECKPOINT = {"kind": "checkpoint", "at_s": 0}


def slow_from(begin_s: float, duration_s: float) -> Delays:
    """From a moment on everything takes three seconds, to the end."""
    since_ns = healthy(load_of(duration_s=duration_s)).attempts[0]["intended_ns"] - T0_NS

    def draw(count: int) -> Any:
        return np.where(since_ns[:count] >= begin_s * S, 3 * S, 10 * MS).astype(np.int64)

    return draw


def _with(world: World, fault: dict[str, Any]) -> World:
    document = {**world.scenario.model_dump(mode="json"), "fault": [fault]}
    world.scenario = Scenario.model_validate(document)
    return world


def test_a_system_that_stays_slow_is_slow_outside_too(tmp_path: Path) -> None:
    """It never was itself again after a kill; that it was fast before is half of the truth."""
    load = load_of(duration_s=50)
    world = _with(healthy(load, APART, delays=slow_from(9.0, 50)), KILL)
    world.faults = [killed()]
    found = assessed(world, tmp_path)
    assert unclean(found) == {id_of(APART): Verdict.FAIL}
    (reported,) = [one for one in found.measurement.outside_faults if one.metric == "latency"]
    assert reported.max_ns > 2 * S


def early(duration_s: float) -> World:
    """A checkpoint at the very beginning: nothing is known as normal, so no backlog is reported."""
    world = _with(healthy(load_of(duration_s=duration_s), "p50 < 1 s"), CHECKPOINT)
    at_ns = T0_NS + S
    world.faults = [
        killed(
            kind="checkpoint",
            target="postgres",
            planned_ns=at_ns,
            injected_ns=at_ns + MS,
            proven_ns=at_ns + 20 * MS,
            healed_ns=at_ns + 20 * MS,
            heal_proven_ns=at_ns + 30 * MS,
        )
    ]
    return world


def test_an_early_fault_excuses_no_late_generator(tmp_path: Path) -> None:
    """Long after the checkpoint the generator is late on its own account."""
    world = early(60.0)
    late_sending(world, 30.0, 31.0)
    check = check_of(assessed(world, tmp_path), "generator_lag_p99")
    assert check.status is Status.INVALID


def test_a_run_that_is_all_window_tells_nothing_of_the_generator(tmp_path: Path) -> None:
    """Not one signal was sent while the generator can be judged."""
    world = early(10.0)
    found = unclean(assessed(world, tmp_path))
    assert found["generator_lag_p99"] is Verdict.INCONCLUSIVE


def test_a_recovery_that_nobody_looked_at_is_none(tmp_path: Path) -> None:
    """So many disturbances are followed; one that comes after them may have been the bad one."""
    objective = "recovery < 15 s"
    at_s = [3 + number * 0.2 for number in range(DISTURBANCES_MAX + 1)]
    world = _with(healthy(load_of(duration_s=30), objective), {**CHECKPOINT, "at_s": at_s})
    world.faults = [
        killed(
            number=one.number,
            kind=one.kind,
            target=one.target,
            planned_ns=(at_ns := T0_NS + one.at_ns),
            injected_ns=at_ns,
            proven_ns=at_ns + MS,
            healed_ns=at_ns + MS,
            heal_proven_ns=at_ns + 2 * MS,
        )
        for one in world.scenario.planned_faults()
    ]
    found = assessed(world, tmp_path)
    assert unclean(found) == {id_of(objective): Verdict.INCONCLUSIVE}
    assert "the 1 after them are not analyzed" in check_of(found, id_of(objective)).message
