"""What keeps an isolation from being claimed, from the evidence on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.paired_blocks import TrialBlock, plan_blocks
from harness.assessment.isolation import IsolationEvidence, judge_isolation
from harness.assessment.isolation_result import IsolationJudgement, IsolationOutcome
from harness.contract.names import State
from harness.evidence.fault_log import FaultRecord
from harness.experiments.isolation_run import judge_blocks
from harness.faults.staleness_check import STALE_REFUSED_IN_TIME
from harness.judge.agent_pool import PENDING_TAKEOVER
from harness.judge.check import Check, CheckSpec
from harness.judge.objectives import SIGNALS_SIMULATED
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict
from harness.scenario import Scenario
from harness.scenario.objective import parse_objective
from tests.unit.analysis.evidence import MS, T0_NS, S, World, healthy, load_of
from tests.unit.judge.test_isolation import (
    BASELINE_MS,
    LIMIT_NS,
    MARGIN_NS,
    blocks_of,
    judgement_of,
)

PAIRS, BLOCK_S = 5, 3.0
# Enough signals to tell what is normal, before the first block.
_WARMUP_S = 3.0
_START_NS = 3 * S
LOAD = load_of(duration_s=2 * PAIRS * BLOCK_S, warmup_s=_WARMUP_S)


def planned_blocks() -> tuple[TrialBlock, ...]:
    """Ten blocks of 3 s after the warm-up."""
    return plan_blocks(PAIRS, 3 * S, S // 2, S // 2, 1, _START_NS)


def with_treatment(heal_s: float = 0.05, *objectives: str, **changes: Any) -> World:
    """A run in blocks, in half of which a service that no signal needs stood still."""
    world = healthy(LOAD, *(objectives or ("p99 < 500 ms", "rejected < 1 %")), **changes)
    starts = [b.start_ns for b in planned_blocks() if b.is_treatment]
    fault = {
        "kind": "pause",
        "target": "data-processor",
        "at_s": [(start_ns - _START_NS) / S for start_ns in starts],
        "for_s": 2.5,
    }
    blocks = {"pairs": PAIRS, "block_s": BLOCK_S, "settle_s": 0.5, "release_s": 0.5}
    document = world.scenario.model_dump(mode="json")
    world.scenario = Scenario.model_validate({**document, "isolation": blocks, "fault": [fault]})
    world.faults = [
        FaultRecord(
            number=number,
            kind="pause",
            target="data-processor",
            planned_ns=(at_ns := T0_NS + start_ns),
            for_ns=2_500 * MS,
            injected_ns=at_ns,
            proven_ns=at_ns + 20 * MS,
            held_ns=at_ns + 2_500 * MS,
            healed_ns=at_ns + 2_501 * MS,
            heal_proven_ns=at_ns + 2_501 * MS + round(heal_s * S),
            seen="stopped",
        )
        for number, start_ns in enumerate(starts)
    ]
    return world


def in_treatment_blocks(world: World) -> NDArray[np.bool_]:
    """Which signals were due in one."""
    since_ns = world.attempts[0]["intended_ns"] - T0_NS
    hit = np.zeros(len(since_ns), dtype=np.bool_)
    for block in planned_blocks():
        if block.is_treatment:
            hit |= (since_ns >= block.start_ns) & (since_ns < block.end_ns)
    return hit


def reject(world: World, keep_every: int) -> None:
    """The engine refuses signals of treatment blocks, all but one of so many."""
    chosen = np.flatnonzero(in_treatment_blocks(world))
    chosen = chosen[np.arange(len(chosen)) % keep_every != 0]
    world.reject(world.attempts[0][chosen], State.SIMULATION_TIMEOUT)


def test_a_disturbance_that_changes_nothing_is_isolated(tmp_path: Path) -> None:
    """Of the same evidence as below, with nothing wrong."""
    assert judge_blocks(with_treatment().write(tmp_path)).outcome is IsolationOutcome.ISOLATED


@pytest.mark.parametrize(
    ("keep_every", "text"),
    [(50, ("rejected < 1 %", "fewer than 100 signals")), (2, ("rejected < 1 %",))],
)
def test_rejecting_is_no_isolation(keep_every: int, text: tuple[str, ...], tmp_path: Path) -> None:
    """A signal that is rejected is not compared, and what is left may well be fast."""
    world = with_treatment()
    reject(world, keep_every)
    found = judge_blocks(world.write(tmp_path))
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert all(any(word in message for message in found.because) for word in text)


def test_a_share_of_rejections_that_is_open_is_no_isolation(tmp_path: Path) -> None:
    """One burst of a few: too few to miss the objective, too many to meet it."""
    world = with_treatment()
    attempts = world.attempts[0]
    first = len(attempts) // 2
    number = len(attempts) // 120
    world.reject(attempts[first : first + number], State.INVARIANT_BROKEN)
    found = judge_blocks(world.write(tmp_path))
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert any("rejected < 1 %" in message for message in found.because)


def test_a_baseline_block_has_no_disturbance(tmp_path: Path) -> None:
    """What is still affected is no measure of the time without: the change would be too small."""
    found = judge_blocks(with_treatment(heal_s=1.5).write(tmp_path))
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert any("still in force" in message for message in found.because)


def test_signals_in_full_mode_are_not_forgotten(tmp_path: Path) -> None:
    """They are not compared in pairs; two seconds more for a tenth of all is no isolation."""
    hit = in_treatment_blocks(healthy(LOAD))

    def slow(count: int) -> NDArray[np.int64]:
        full = np.arange(count) % 10 == 0
        return np.where(hit[:count] & full, 2 * S, 10 * MS).astype(np.int64)

    world = with_treatment(0.05, "lite p90 < 500 ms", "rejected < 1 %", full_every=10, delays=slow)
    found = judge_blocks(world.write(tmp_path))
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert "simulated in full the P99 is" in found.because[0]


def _found(**changes: Any) -> IsolationEvidence:
    found = IsolationEvidence(
        blocks=blocks_of(BASELINE_MS, BASELINE_MS, "throttled"),
        baseline_p99_ns=max(BASELINE_MS) * MS,
        treatment_p99_ns=max(BASELINE_MS) * MS,
        margin_ns=MARGIN_NS,
        limit_ns=LIMIT_NS,
        lateness_limit_ns=10 * MS,
    )
    return replace(found, **changes)


def _decided(found: IsolationEvidence, *checks: Check) -> IsolationJudgement:
    return judge_isolation(found, judgement_of(*checks))


def test_a_missed_objective_that_may_be_the_generators_is_no_isolation() -> None:
    """Beyond the limit, and without the lateness not: neither one nor the other."""
    late = tuple(block.model_copy(update={"lateness_max_ns": 8 * MS}) for block in _found().blocks)
    found = _found(
        blocks=late, baseline_p99_ns=LIMIT_NS - 20 * MS, treatment_p99_ns=LIMIT_NS + 5 * MS
    )
    assert _decided(found).outcome is IsolationOutcome.CANNOT_TELL


@pytest.mark.parametrize(
    ("spec", "verdict"),
    [
        (PENDING_TAKEOVER, Verdict.INVALID),
        (STALE_REFUSED_IN_TIME, Verdict.INCONCLUSIVE),
        (SIGNALS_SIMULATED, Verdict.INCONCLUSIVE),
        (objective_spec(parse_objective("rate >= 99 %")), Verdict.FAIL),
    ],
)
def test_what_is_not_clean_leaves_it_open(spec: CheckSpec, verdict: Verdict) -> None:
    """An absence of evidence is no isolation."""
    found = _decided(_found(), spec.judged(verdict, "made up"))
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert found.because[0] == f"{spec.name}: made up"


def test_an_open_percentile_of_the_whole_run_is_no_doubt() -> None:
    """The blocks decide."""
    spec = objective_spec(parse_objective("p99.9 < 1 s"))
    check = spec.judged(Verdict.INCONCLUSIVE, "too few")
    assert _decided(_found(), check).outcome is IsolationOutcome.ISOLATED
