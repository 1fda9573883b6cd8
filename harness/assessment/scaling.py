"""From the runs of an experiment to its result; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from harness.analysis.capacity.trials import EndReason
from harness.analysis.scaling.figures import level_figures, scaling_figures, trend_figures
from harness.analysis.scaling.throughput import SATURATED_MIN_S, saturated_throughput
from harness.assessment.assess import Assessment
from harness.assessment.capacity import CapacityResult
from harness.assessment.scale_result import (
    CellFigures,
    CellStatus,
    ScaleResult,
    WordLevel,
)
from harness.clock import NS_PER_S
from harness.judge.check import Check, CheckKind
from harness.judge.grade import Grade, worst_grade
from harness.judge.judgement import Judgement
from harness.judge.self_monitoring import GENERATOR_CPU, GENERATOR_STALLS
from harness.judge.validity import GENERATOR_LAG_P99, GENERATOR_LAG_P99_9
from harness.judge.verdict import Status, Verdict
from harness.judge.warmup import WARMUP_EFFECTIVE
from harness.scenario import Scenario
from harness.scenario.experiment import Experiment, Measure

VARIED_REASON = "the runs of an experiment differ on purpose: no level is a sign-off"
_REASONS_MAX = 20


class RunFigure(NamedTuple):
    """What one run, or one search, says of its level.

    Attributes:
        value: signals/s or nanoseconds; None where there is no figure.
        reasons: checks because of which it does not count, or why there is no figure.
    """

    status: CellStatus
    verdict: Verdict
    grade: Grade
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    reasons: tuple[str, ...] = ()


# Of a throughput: while signals are waiting it does not matter when the next ones are sent, and
# under overload the latency of the warm-up differs from that of the load in any case.
_ABOUT_PUNCTUALITY = frozenset(
    spec.id
    for spec in (
        GENERATOR_LAG_P99,
        GENERATOR_LAG_P99_9,
        GENERATOR_CPU,
        GENERATOR_STALLS,
        WARMUP_EFFECTIVE,
    )
)


def figure_of_run(measure: Measure, scenario: Scenario, assessment: Assessment) -> RunFigure:
    """The figure of one run.

    Args:
        measure: latency or throughput.
        scenario: of the run.
        assessment: of its evidence.
    """
    judgement = assessment.judgement
    found = RunFigure(CellStatus.MEASURED, judgement.verdict, judgement.grade)
    if broken := _reasons(judgement, CheckKind.INTEGRITY, Status.FAIL):
        return found._replace(status=CellStatus.FAILED, reasons=broken)
    ignored = _ABOUT_PUNCTUALITY if measure is Measure.THROUGHPUT else frozenset()
    if wrong := _reasons(judgement, CheckKind.VALIDITY, Status.INVALID, ignored):
        return found._replace(status=CellStatus.INVALID, reasons=wrong)
    if measure is Measure.THROUGHPUT:
        return _throughput(scenario, assessment, found)
    return _latency(judgement, found)


def figure_of_search(result: CapacityResult) -> RunFigure:
    """The capacity that a search found: the middle of its bounds, which are the interval."""
    found = RunFigure(CellStatus.MEASURED, result.verdict, result.grade)
    bounds = result.bounds
    if result.reason is not EndReason.FOUND or bounds.estimate is None:
        reason = result.reason.value if result.reason else "the search has not ended"
        return found._replace(status=CellStatus.INVALID, reasons=(f"no capacity: {reason}",))
    return found._replace(
        value=bounds.estimate, lower=bounds.proven_met, upper=bounds.confirmed_broken
    )


def _reasons(
    judgement: Judgement, kind: CheckKind, status: Status, ignored: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    return tuple(
        f"{check.name}: {check.message}"
        for check in judgement.checks
        if check.kind is kind and check.status is status and check.id not in ignored
    )[:_REASONS_MAX]


def _throughput(scenario: Scenario, assessment: Assessment, found: RunFigure) -> RunFigure:
    spans_s = [
        (start_ns / NS_PER_S, end_ns / NS_PER_S)
        for start_ns, end_ns in scenario.load.measured_stretches_ns()
    ]
    throughput = saturated_throughput(assessment.measurement.seconds, spans_s)
    if throughput is None:
        reason = f"not saturated for {SATURATED_MIN_S:g} s: raise the rate of the base scenario"
        return found._replace(status=CellStatus.INVALID, reasons=(reason,))
    return found._replace(value=throughput.rate, lower=throughput.lower, upper=throughput.upper)


def _latency(judgement: Judgement, found: RunFigure) -> RunFigure:
    for check in judgement.of(CheckKind.OBJECTIVE):
        if (value := _number(check, "estimate_ns")) is not None:
            return found._replace(
                value=value, lower=_number(check, "lower_ns"), upper=_number(check, "upper_ns")
            )
    reason = "no objective of latency has an estimate: run longer, or add one as in p99 < 500 ms"
    return found._replace(status=CellStatus.INVALID, reasons=(reason,))


def _number(check: Check, name: str) -> float | None:
    value = check.figures.get(name)
    return float(value) if isinstance(value, (int, float)) else None


def build_scale_result(
    experiment: Experiment,
    experiment_id: str,
    stack: str,
    cells: Sequence[CellFigures],
    grades: Sequence[Grade],
) -> ScaleResult:
    """The result of all runs so far; the same runs always give the same result.

    Args:
        experiment: the plan.
        experiment_id: name of its folder.
        stack: kind of stack.
        cells: every attempt, in order.
        grades: of the same attempts.
    """
    measured = [cell for cell in cells if cell.status is CellStatus.MEASURED]
    pairs = [
        (cell.level_number, cell.value)
        for cell in measured
        if cell.level_number is not None and cell.value is not None and cell.value > 0
    ]
    levels, values = [level for level, _ in pairs], [value for _, value in pairs]
    is_fitted = experiment.setting.is_resource and experiment.measure is not Measure.LATENCY
    # A resource that is not there has no model.
    is_fitted = is_fitted and bool(levels) and min(levels) > 0
    value_unit: Literal["ns", "signals/s"] = (
        "ns" if experiment.measure is Measure.LATENCY else "signals/s"
    )
    verdict = _verdict(experiment, cells)
    return ScaleResult(
        experiment_id=experiment_id,
        name=experiment.name,
        about=experiment.about,
        base=experiment.base,
        stack=stack,
        vary=experiment.vary,
        unit=experiment.setting.unit,
        measure=experiment.measure,
        value_unit=value_unit,
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        planned=len(experiment.levels) * experiment.repeats,
        measured=len(measured),
        cells=tuple(cells),
        levels=level_figures(levels, values),
        word_levels=tuple(_word_levels(experiment, measured)),
        scaling=scaling_figures(levels, values, experiment.seed) if is_fitted else None,
        trend=trend_figures(levels, values, experiment.seed) if len(set(levels)) > 1 else None,
        is_indicative=experiment.indicative,
        grade=_grade(grades),
    )


def _grade(grades: Sequence[Grade]) -> Grade:
    return Grade(
        level="indicative",
        reasons=tuple(dict.fromkeys((VARIED_REASON, *worst_grade(grades).reasons))),
    )


def _verdict(experiment: Experiment, cells: Sequence[CellFigures]) -> Verdict:
    if any(cell.status is CellStatus.FAILED for cell in cells):
        return Verdict.FAIL
    plan = experiment.cells()
    measured = {cell.position for cell in cells if cell.status is CellStatus.MEASURED}
    if len(measured) == len(plan):
        return Verdict.PASS
    tried = {cell.position for cell in cells}
    levels = {plan[position].level for position in measured}
    is_over = len(tried) == len(plan)
    return (
        Verdict.INVALID
        if is_over and len(levels) < len(experiment.levels)
        else (Verdict.INCONCLUSIVE)
    )


def _word_levels(experiment: Experiment, measured: Sequence[CellFigures]) -> Iterator[WordLevel]:
    for level in experiment.levels:
        values = [
            cell.value
            for cell in measured
            if cell.level_number is None and cell.level == level and cell.value is not None
        ]
        if values:
            yield WordLevel(level=level, runs=len(values), least=min(values), most=max(values))
