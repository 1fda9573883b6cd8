"""Isolated, not isolated, cannot tell: what each needs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assessment.isolation import IsolationEvidence, judge_isolation
from harness.assessment.isolation_result import (
    BlockFigures,
    ContentionFigures,
    IsolationJudgement,
    IsolationOutcome,
)
from harness.clock import NS_PER_MS
from harness.judge.check import Check
from harness.judge.grade import Grade
from harness.judge.integrity import SIGNALS_LOST
from harness.judge.judgement import Judgement
from harness.judge.quotas import QUOTAS_ENFORCED
from harness.judge.validity import GENERATOR_LAG_P99
from harness.judge.verdict import Verdict

MARGIN_NS = 50 * NS_PER_MS
LIMIT_NS = 500 * NS_PER_MS


def judgement_of(*checks: Check) -> Judgement:
    """A judgement that found this, and nothing else."""
    return Judgement(
        verdict=Verdict.PASS, exit_code=0, grade=Grade(level="indicative"), checks=checks
    )


def blocks_of(
    baseline_ms: Sequence[int], treatment_ms: Sequence[int], force: str
) -> tuple[BlockFigures, ...]:
    """Pairs of blocks with these P99s."""
    found: list[BlockFigures] = []
    for pair, (baseline, treatment) in enumerate(zip(baseline_ms, treatment_ms, strict=True)):
        for on, value in ((False, baseline), (True, treatment)):
            start_s = 20.0 * (2 * pair + on)
            found.append(
                BlockFigures(
                    pair=pair,
                    is_treatment=on,
                    start_s=start_s,
                    end_s=start_s + 20,
                    signals=2000,
                    p99_ns=value * NS_PER_MS,
                    force=force if on else "",
                )
            )
    return tuple(found)


def decide(
    baseline_ms: Sequence[int],
    treatment_ms: Sequence[int],
    *checks: Check,
    force: str = "throttled",
    late_ms: int = 0,
) -> IsolationJudgement:
    """The outcome of such blocks in a run with such checks."""
    return judge_isolation(
        IsolationEvidence(
            blocks=tuple(
                block.model_copy(
                    update={
                        "lateness_p99_ns": late_ms * NS_PER_MS,
                        "lateness_max_ns": late_ms * NS_PER_MS,
                    }
                )
                for block in blocks_of(baseline_ms, treatment_ms, force)
            ),
            baseline_p99_ns=max(baseline_ms) * NS_PER_MS,
            treatment_p99_ns=max(treatment_ms) * NS_PER_MS,
            margin_ns=MARGIN_NS,
            limit_ns=LIMIT_NS,
            lateness_limit_ns=10 * NS_PER_MS,
        ),
        judgement_of(*checks),
    )


BASELINE_MS = [10, 12, 11, 13, 12, 11, 14, 12]
LATE = GENERATOR_LAG_P99.judged(Verdict.INVALID, "it was late")
LOST = SIGNALS_LOST.judged(Verdict.FAIL, "3 lost")


def test_a_small_change_with_force_is_isolation() -> None:
    """Every pair within the margin, the disturbance proven: isolated, exit 0."""
    found = decide(BASELINE_MS, [value + 5 for value in BASELINE_MS])
    assert found.outcome is IsolationOutcome.ISOLATED
    assert found.exit_code == 0
    assert "5 ms" in found.because[0]


def test_a_large_change_is_none() -> None:
    """Every pair beyond the margin: not isolated, exit 1."""
    found = decide(BASELINE_MS, [value + 80 for value in BASELINE_MS])
    assert found.outcome is IsolationOutcome.NOT_ISOLATED
    assert found.exit_code == 1


def test_a_missed_objective_is_no_isolation() -> None:
    """Beyond the limit with the disturbance, below it without."""
    found = decide(BASELINE_MS, [*BASELINE_MS[:-1], 600])
    assert found.outcome is IsolationOutcome.NOT_ISOLATED
    assert "the limit is 500 ms" in found.because[0]
    assert found.exit_code == 1


def test_without_force_nothing_is_reported() -> None:
    """Neither a small nor a large change says anything of a disturbance that was not there."""
    for shift in (0, 80):
        found = decide(BASELINE_MS, [value + shift for value in BASELINE_MS], force="")
        assert found.outcome is IsolationOutcome.CANNOT_TELL
        assert "not shown to have force in 8 of 8 blocks" in found.because[0]


def test_a_starved_generator_is_no_evidence_against_the_system() -> None:
    """A run that is invalid tells nothing, however much later everything is."""
    found = decide(BASELINE_MS, [value + 80 for value in BASELINE_MS], LATE)
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert found.because[0].startswith(LATE.name)


def test_what_may_be_the_generators_lateness_is_not_the_systems() -> None:
    """A change that the lateness may explain decides nothing; the rest of a larger one does."""
    later = [value + 80 for value in BASELINE_MS]
    assert decide(BASELINE_MS, later, late_ms=40).outcome is IsolationOutcome.CANNOT_TELL
    assert decide(BASELINE_MS, [value + 4_000 for value in BASELINE_MS], late_ms=40).exit_code == 1
    assert decide(BASELINE_MS, BASELINE_MS, late_ms=40).outcome is IsolationOutcome.CANNOT_TELL


@pytest.mark.parametrize("force", ["throttled", ""])
def test_a_lost_signal_is_lost(force: str) -> None:
    """Whatever else is known."""
    found = decide(BASELINE_MS, BASELINE_MS, LOST, LATE, force=force)
    assert found.outcome is IsolationOutcome.NOT_ISOLATED
    assert found.because[0] == f"{LOST.name}: 3 lost"


def test_a_wide_interval_cannot_tell() -> None:
    """Some pairs far beyond the margin, most within: more pairs are needed."""
    found = decide(BASELINE_MS, [10, 12, 150, 13, 200, 11, 90, 170])
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert "pairs would decide" in found.because[0]
    assert found.exit_code == 3


def test_four_pairs_are_too_few() -> None:
    """However alike they are."""
    found = decide(BASELINE_MS[:4], BASELINE_MS[:4])
    assert found.outcome is IsolationOutcome.CANNOT_TELL
    assert "too few for an interval" in found.because[0]


def test_a_host_that_misses_the_objective_anyway() -> None:
    """What is beyond the limit without a disturbance shows nothing."""
    slow = [value + 600 for value in BASELINE_MS]
    assert decide(slow, slow).outcome is IsolationOutcome.CANNOT_TELL


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=30),
    st.booleans(),
)
def test_isolation_needs_an_upper_bound_within_the_margin(
    pairs: list[tuple[int, int]], has_force: bool
) -> None:
    """Never isolated without force, without an interval, or with one that goes beyond."""
    baseline, treatment = zip(*pairs, strict=True)
    found = decide(baseline, treatment, force="throttled" if has_force else "")
    if found.outcome is IsolationOutcome.ISOLATED:
        assert has_force
        assert found.change is not None
        assert found.change.upper_ns is not None
        assert found.change.upper_ns <= MARGIN_NS
    assert found.because


def test_what_the_experiment_breaks_on_purpose_is_no_doubt() -> None:
    """Limits that were removed are reported, and decide nothing."""
    quotas = QUOTAS_ENFORCED.judged(Verdict.INVALID, "no limit")
    found = IsolationEvidence(
        blocks=blocks_of(BASELINE_MS, [value + 80 for value in BASELINE_MS], "busy"),
        baseline_p99_ns=15 * NS_PER_MS,
        treatment_p99_ns=95 * NS_PER_MS,
        margin_ns=MARGIN_NS,
        limit_ns=LIMIT_NS,
        lateness_limit_ns=10 * NS_PER_MS,
        expected_failures={"quotas_enforced": "the limits of the agents were removed"},
    )
    reported = judge_isolation(found, judgement_of(quotas))
    assert reported.outcome is IsolationOutcome.NOT_ISOLATED
    assert reported.because[-1] == "on purpose: the limits of the agents were removed"
    assert (
        judge_isolation(found, judgement_of(quotas, LATE)).outcome is IsolationOutcome.CANNOT_TELL
    )


@pytest.mark.parametrize(("busy", "text"), [(1.9, "there was contention"), (0.9, "no contention")])
def test_what_the_outcome_covers_is_said(busy: float, text: str) -> None:
    """Idle cores are no proof of a quota."""
    contention = ContentionFigures(
        cores=2,
        baseline_busy_cores=0.7,
        treatment_busy_cores=busy,
        baseline_waited_cores=0.01,
        treatment_waited_cores=0.2,
        is_fought_over=busy > 1.8,
    )
    found = IsolationEvidence(
        blocks=blocks_of(BASELINE_MS, BASELINE_MS, "busy"),
        baseline_p99_ns=15 * NS_PER_MS,
        treatment_p99_ns=15 * NS_PER_MS,
        margin_ns=MARGIN_NS,
        limit_ns=LIMIT_NS,
        lateness_limit_ns=10 * NS_PER_MS,
        contention=contention,
    )
    reported = judge_isolation(found, judgement_of())
    assert reported.outcome is IsolationOutcome.ISOLATED
    assert text in reported.because[1]
    assert reported.contention == contention


def test_a_file_with_earlier_names_is_read() -> None:
    """An `isolation.json` of an earlier version has the same content as one of today."""
    contention = ContentionFigures(
        cores=2,
        baseline_busy_cores=0.7,
        treatment_busy_cores=1.5,
        baseline_waited_cores=0.01,
        treatment_waited_cores=0.2,
        is_fought_over=False,
    )
    found = decide(BASELINE_MS, BASELINE_MS).model_copy(update={"contention": contention})
    today = found.model_dump_json()
    earlier = (
        today.replace("is_treatment", "disturbed")
        .replace("baseline_", "quiet_")
        .replace("treatment_", "disturbed_")
    )
    assert earlier != today
    assert IsolationJudgement.model_validate_json(earlier) == found
