"""An objective of the recovery after a spike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from harness.analysis.stage_recovery import StageRecovery
from harness.contract.names import State
from harness.judge.check import Check
from harness.judge.inconclusive import INCONCLUSIVE_BY, OBSERVER
from harness.judge.stage_recovery import _verdict
from harness.judge.verdict import Status, Verdict
from harness.scenario import Load, Phase, Scenario, Stage, parse_objective
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, scenario_of
from tests.unit.analysis.trace_keys import keys
from tests.unit.judge.assessing import assessed

BEFORE = "stage before p99 < 100 ms"
RECOVERY = "recovery over any 1 s < 4 s after stage spike"
CHECK = "recovery_time_over_1s_stage_spike"
# The warm-up takes a second.
SPIKE_END_NS = 9 * S


def spike_load(*, repeat: int = 1, phase: Phase = Phase.MEASURE, after_s: float = 8.0) -> Load:
    """A spike of 2 s after 6 s; then 8 s."""
    parts = (("before", 100, 6.0), ("spike", 300, 2.0), ("after", 150, after_s))
    stages = tuple(
        Stage(
            name=name,
            agents=5,
            rate_from=rate,
            rate_to=rate,
            duration_s=length_s,
            phase=phase if name == "spike" else Phase.MEASURE,
        )
        for name, rate, length_s in parts
    )
    return Load(stages=stages, warmup_s=1.0, drain_s=5.0, repeat=repeat)


def slowed(world: World, start_ns: int, end_ns: int, by_ms: int, *, commit: bool = True) -> World:
    """Signals intended within a time, after t0, are final so much later."""
    attempts = world.attempts[0]
    since = attempts["intended_ns"] - T0_NS
    own = attempts[(since >= start_ns) & (since < end_ns)]
    hit = np.isin(keys(world.sightings), keys(own))
    hit &= world.sightings["state"] == State.SIMULATED
    world.sightings["seen_ns"][hit] += by_ms * MS
    if commit:
        world.sightings["commit_us"][hit] += by_ms * 1_000
    order = np.argsort(world.sightings["seen_ns"], kind="stable")
    world.sightings = world.sightings[order]
    return world


def check_of(world: World, reports: Path) -> Check:
    """The check of the recovery."""
    found = assessed(world, reports).judgement.checks
    return next(check for check in found if check.id == CHECK)


@pytest.mark.parametrize(
    ("until_s", "status"), [(0.0, Status.PASS), (3.0, Status.PASS), (6.0, Status.FAIL)]
)
def test_latency_is_back_in_time_or_not(tmp_path: Path, until_s: float, status: Status) -> None:
    """Slow in the spike, and so long after it; the time counts from the end of the spike."""
    world = healthy(spike_load(), BEFORE, RECOVERY)
    slowed(world, SPIKE_END_NS - 2 * S, SPIKE_END_NS + round(until_s * S), 300)
    check = check_of(world, tmp_path)
    assert check.status is status
    assert (check.figures["below_ns"], check.figures["limit_ns"]) == (100 * MS, 4 * S)
    recovery_ns = check.figures["recovery_ns"]
    assert isinstance(recovery_ns, int)
    assert recovery_ns == pytest.approx(until_s * S, abs=0.1 * S)


@pytest.mark.parametrize(
    ("lower_ns", "upper_ns", "kept", "verdict"),
    [
        (None, 0, 9, Verdict.PASS),
        (3_960 * MS, 3_980 * MS, 9, Verdict.PASS),
        (3_980 * MS, 4_000 * MS, 9, Verdict.INCONCLUSIVE),
        (4_000 * MS, 4_020 * MS, 9, Verdict.FAIL),
        (3_000 * MS, 3_020 * MS, 0, Verdict.INCONCLUSIVE),
        (None, 0, 0, Verdict.INCONCLUSIVE),
        (5_000 * MS, 5_020 * MS, 0, Verdict.FAIL),
    ],
)
def test_between_two_windows_nothing_is_decided(
    lower_ns: int | None, upper_ns: int, kept: int, verdict: Verdict
) -> None:
    """PASS and FAIL need that both bounds are on one side of the limit, 4 s, and a kept window."""
    one = StageRecovery(lower_ns, upper_ns, 20 * MS, 100, 0, kept, 8 * S)
    assert _verdict([one], 4 * S) is verdict


def test_an_observer_that_was_slow_is_no_failure(tmp_path: Path) -> None:
    """By their commit times the signals were fast."""
    world = healthy(spike_load(), BEFORE, RECOVERY)
    slowed(world, SPIKE_END_NS, SPIKE_END_NS + 6 * S, 300, commit=False)
    check = check_of(world, tmp_path)
    assert check.status is Status.INCONCLUSIVE
    assert check.figures[INCONCLUSIVE_BY] == OBSERVER


def test_the_worst_repetition_counts(tmp_path: Path) -> None:
    """A spike that is repeated has to be recovered from each time, before the next one."""
    world = healthy(spike_load(repeat=2), BEFORE, RECOVERY)
    slowed(world, SPIKE_END_NS + 16 * S, SPIKE_END_NS + 22 * S, 300)
    check = check_of(world, tmp_path)
    assert (check.status, check.figures["repetitions"]) == (Status.FAIL, 2)


def test_a_spike_may_be_left_out_of_the_verdict() -> None:
    """Only what comes after it has to be measured."""
    scenario = scenario_of(spike_load(phase=Phase.WARMUP), BEFORE, RECOVERY)
    assert scenario.parsed_objectives()[1].stage == "spike"


def test_without_enough_signals_nothing_is_claimed(tmp_path: Path) -> None:
    """A window of 1 s has too few signals for a P99 at 50/s."""
    load = spike_load()
    few = load.stages[2].model_copy(update={"rate_from": 50.0, "rate_to": 50.0})
    world = healthy(load.model_copy(update={"stages": (*load.stages[:2], few)}), BEFORE, RECOVERY)
    check = check_of(world, tmp_path)
    assert check.status is Status.INCONCLUSIVE
    assert check.figures["windows_sparse"] == check.figures["windows"]


@pytest.mark.parametrize(
    ("load", "objectives", "problem"),
    [
        (spike_load(), (RECOVERY,), "needs an objective"),
        (spike_load(after_s=4.5), (BEFORE, RECOVERY), "at least 5 s have to be measured"),
        (spike_load(), (BEFORE, "recovery < 4 s after stage peak"), "there is no stage 'peak'"),
        (spike_load(), (BEFORE, "recovery over any 1 s < 4 s"), "after stage NAME"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    load: Load, objectives: tuple[str, ...], problem: str
) -> None:
    """When the scenario is read."""
    with pytest.raises(ValidationError, match=problem):
        Scenario(name="x", about="x", load=load, objectives=objectives)


def test_the_window_has_a_default() -> None:
    """Five seconds."""
    assert parse_objective("recovery < 4 s after stage spike").window_ns == 5 * S
