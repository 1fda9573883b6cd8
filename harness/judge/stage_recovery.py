"""Objectives of the recovery after a stage: how soon the P99 keeps its limit for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.series import Series
from harness.analysis.stage_recovery import StageRecovery, stage_recovery
from harness.clock import NS_PER_S
from harness.evidence.records import Mode
from harness.formatting import format_count, format_duration
from harness.judge.censoring import censored_below_count, judge_rejected_by_late_data
from harness.judge.check import Check, CheckContext
from harness.judge.faults.recovery import check_recovery
from harness.judge.host_attribution import without_interference
from harness.judge.inconclusive import (
    GENERATOR_TOO_LATE,
    INCONCLUSIVE_BY,
    OBSERVER_TOO_SLOW,
    host_interfered,
)
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict, worst
from harness.scenario import Objective, Phase
from harness.scenario.stage_recovery import (
    PERCENTILE,
    recovered_below_ns,
    spans_after_stage_ns,
)

Recoveries = Sequence[StageRecovery]
_EXCUSES = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INVALID)


def check_any_recovery(case: CheckContext, objective: Objective) -> Check:
    """The recovery after a stage, where the objective names one, or after each disturbance."""
    check = check_stage_recovery if objective.is_stage_recovery else check_recovery
    return check(case, objective)


def check_stage_recovery(case: CheckContext, objective: Objective) -> Check:
    """That after each repetition of the stage the P99 keeps its limit in time, and from then on."""
    cells, limit_ns = _cells(case), objective.limit_ns or 0
    below_ns = recovered_below_ns(case.scenario.parsed_objectives()) or 0
    if not cells:
        return objective_spec(objective).judged(
            Verdict.INVALID,
            "no signal was measured, so the recovery cannot be judged",
            hint="set a higher rate or a longer duration_s of the stages after it",
        )
    every = _joined(cells, lambda cell: cell.slo_series(Metric.LATENCY))

    def by(slow: Series, signals: Series = every) -> Recoveries:
        return [
            stage_recovery(
                *(signals, slow, spans, objective.window_ns or NS_PER_S),
                percentile=PERCENTILE,
                limit_ns=below_ns,
            )
            for spans in spans_after_stage_ns(case.plan.load, objective.stage or "")
            if spans
        ]

    found = by(every)
    verdict, why, undecided = _verdict(found, limit_ns), "", None
    if verdict is Verdict.PASS and any(
        censored_below_count(cell, Metric.LATENCY, below_ns) for cell in cells
    ):
        verdict, why = Verdict.INCONCLUSIVE, "; signals never arrived and had less time than that"
    elif verdict is Verdict.FAIL:
        verdict, undecided, why = _attribute(case, objective, cells, by)
    return objective_spec(objective).judged(
        verdict,
        _message(found, objective, below_ns) + why,
        {
            "recovery_ns": max(one.upper_ns for one in found),
            "recovery_least_ns": max(one.at_least_ns for one in found),
            "resolution_ns": found[0].step_ns,
            "window_ns": objective.window_ns,
            "below_ns": below_ns,
            "windows": sum(one.windows for one in found),
            "windows_sparse": sum(one.sparse for one in found),
            "repetitions": len(found),
            "limit_ns": limit_ns,
            INCONCLUSIVE_BY: undecided,
        },
    )


def _verdict(found: Recoveries, limit_ns: int) -> Verdict:
    """The worst repetition counts; between the bounds of one nothing is decided."""
    return worst(_verdict_of(one, limit_ns) for one in found)


def _verdict_of(one: StageRecovery, limit_ns: int) -> Verdict:
    if one.at_least_ns >= limit_ns:
        return Verdict.FAIL
    if not one.kept or one.upper_ns >= limit_ns:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


def _attribute(
    case: CheckContext,
    objective: Objective,
    cells: Sequence[Cell],
    by: Callable[..., Recoveries],
) -> tuple[Verdict, str | None, str]:
    """Verdict, figure and text of a missed recovery: generator, observer and host may cause it."""
    limit_ns = objective.limit_ns or 0

    def misses(slow: Series) -> bool:
        return _verdict(by(slow), limit_ns) is Verdict.FAIL

    if not misses(_joined(cells, _service)):
        return Verdict.INCONCLUSIVE, *GENERATOR_TOO_LATE
    if not misses(_joined(cells, _lower_bounds)):
        return Verdict.INCONCLUSIVE, *OBSERVER_TOO_SLOW
    if not misses(_joined(cells, lambda cell: cell.slo_series(Metric.LATENCY).within_layout())):
        verdicts = [
            judge_rejected_by_late_data(objective, cell, case) for cell in cells if cell.rejections
        ]
        # What the generator or other runs may have caused excuses the cells of all modes.
        return max(verdicts, key=lambda one: _EXCUSES.index(one[0]))
    every = _joined(cells, lambda cell: cell.slo_series(Metric.LATENCY))
    rest = without_interference(case, replace(objective, stage=None), every)
    if rest is not None and _verdict(by(rest[0], rest[0]), limit_ns) is not Verdict.FAIL:
        return Verdict.INCONCLUSIVE, *host_interfered(rest[1])
    return Verdict.FAIL, None, ""


def _cells(case: CheckContext) -> list[Cell]:
    cells = (case.analysis.signals.cells.get(CellKey(Phase.MEASURE, mode)) for mode in Mode)
    return [cell for cell in cells if cell is not None and cell.account.ordinary]


def _service(cell: Cell) -> Series:
    return cell.slo_series(Metric.SERVICE if Metric.SERVICE in cell.series else Metric.LATENCY)


def _lower_bounds(cell: Cell) -> Series:
    """The least that is known of each signal; without any commit time, nothing arrived."""
    if Metric.COMMITTED in cell.series:
        return cell.slo_series(Metric.COMMITTED)
    return Series() if cell.histogram(Metric.UNSEEN).count else cell.slo_series(Metric.LATENCY)


def _joined(cells: Sequence[Cell], of: Callable[[Cell], Series]) -> Series:
    return Series.from_chunks(chunk for cell in cells for chunk in of(cell).chunks())


def _message(found: Recoveries, objective: Objective, below_ns: int) -> str:
    shown = max(found, key=lambda one: one.at_least_ns)
    window = f"P99 of latency in every window of {(objective.window_ns or 0) / NS_PER_S:g} s"
    limit = f"the limit is {format_duration(objective.limit_ns)}"
    after = f"after stage {objective.stage}"
    if not shown.kept:
        state = "does not stay" if shown.lower_ns is not None else "is not known to be"
        message = f"{window} {state} below {format_duration(below_ns)} within"
        message += f" {format_duration(shown.watched_ns)} {after}"
    elif shown.lower_ns is None:
        message = f"{window} is below {format_duration(below_ns)} from the first one {after} on"
    else:
        message = f"{window} is below {format_duration(below_ns)} from"
        message += f" {format_duration(shown.upper_ns)} {after} on"
    message += f"; {limit}; a window begins every {shown.step_ns / NS_PER_S:g} s"
    if len(found) > 1:
        message += f"; the worst of {format_count(len(found), 'repetition')}"
    if shown.sparse:
        message += f"; {format_count(shown.sparse, 'window')} had too few signals for a P99"
    return message
