"""Whether the warm-up was effective."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.samples import SignalOutcome
from harness.formatting import format_count, format_share
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Figure, Problem
from harness.judge.limits import WARMUP_ARRIVED_SHARE_MIN, WARMUP_SIGNALS_MIN
from harness.scenario import Load, Phase

# No stage can be named so: the signals before the first measured one.
PRE_MEASURE = ""
WARMUP_EFFECTIVE = CheckSpec(
    "warmup_effective",
    "warm-up effective",
    CheckKind.VALIDITY,
    invalid="of its signals less than half the share arrived that arrives in the measured phase"
    " (from 20 signals on). The system came cold into the measured phase, or began to work only"
    " during it",
)


def pre_measure_stages(load: Load) -> frozenset[int]:
    """Numbers in the timeline of the stages before the first measured one."""
    found = set[int]()
    for number, stage in enumerate(load.timeline()):
        if stage.phase is Phase.MEASURE:
            break
        found.add(number)
    return frozenset(found)


def check_warmup(case: CheckContext) -> Iterator[Check]:
    """The system under test did in the warm-up what it did when it was measured.

    Objectives exclude signals of the warm-up. If most of them never arrived, though, the system
    came cold into the measured phase, or only began to work when the clock was running.
    """
    stages = pre_measure_stages(case.plan.load)
    intended = sum(case.expected.by_stage[stage] for stage in stages)
    if not intended:
        return
    account = _account(case)
    awaited = max(0, intended - account.expected_rejections)
    part = account.arrived / awaited if awaited else 1.0
    usual = _share_measured(case)
    cold = awaited >= WARMUP_SIGNALS_MIN and part < WARMUP_ARRIVED_SHARE_MIN * usual
    message = (
        f"{account.arrived:,} of {format_count(awaited, 'signal')} of the warm-up reached SIMULATED"
    )
    if rest := _rest(account, intended):
        message += f" ({rest})"
    if cold:
        message += (
            f": {format_share(part)}, where it was {format_share(usual)} in the measured phase;"
            " what was measured had not been warmed up"
        )
    hint = "set a longer load.warmup_s, or read the engine's log for when it began to work"
    figures: dict[str, Figure] = {"intended": intended, "arrived": account.arrived}
    problems = [Problem(message, hint)] if cold else []
    yield WARMUP_EFFECTIVE.valid_unless(problems, message, figures)


def _account(case: CheckContext) -> SignalOutcomeCounts:
    total = SignalOutcomeCounts()
    for key, cell in case.analysis.signals.stage_cells.items():
        if key.stage == PRE_MEASURE:
            total = total + cell.account
    return total


def _share_measured(case: CheckContext) -> float:
    account = case.analysis.signals.outcomes(Phase.MEASURE)
    return min(1.0, account.arrived / account.ordinary) if account.ordinary else 0.0


def _rest(account: SignalOutcomeCounts, intended: int) -> str:
    """The outcomes of the others, each class that is not empty."""
    classes = (
        (intended - account.attempted, "not sent"),
        (account.of(SignalOutcome.REFUSED), "refused by Redis"),
        (account.ordinary_rejected, "rejected"),
        (account.of(SignalOutcome.LOST), "lost"),
        (account.of(SignalOutcome.IN_FLIGHT), "in flight"),
    )
    return ", ".join(f"{number:,} {text}" for number, text in classes if number > 0)
