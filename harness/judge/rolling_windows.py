"""Objectives of a percentile over any window of so many seconds."""

from __future__ import annotations

from harness.analysis.recorder import Cell, Metric
from harness.analysis.sliding_windows import (
    WindowCensus,
    WindowGrid,
    count_windows,
    windows_over_limit,
)
from harness.clock import NS_PER_MS, NS_PER_S
from harness.formatting import format_count, format_duration, format_percentile
from harness.judge.censoring import (
    censored_below_count,
    format_rejected,
    judge_rejected_by_late_data,
)
from harness.judge.check import Check, CheckContext, CheckSpec
from harness.judge.host_attribution import interference_explains_miss
from harness.judge.inconclusive import (
    GENERATOR_TOO_LATE,
    INCONCLUSIVE_BY,
    OBSERVER_TOO_SLOW,
    host_interfered,
)
from harness.judge.verdict import Verdict
from harness.scenario import Objective


def check_windows(spec: CheckSpec, objective: Objective, cell: Cell, case: CheckContext) -> Check:
    """Every window as it happened; nothing is inferred about others."""
    limit_ns, percentile = objective.limit_ns or 0, objective.percentile or 50.0
    metric = Metric(objective.metric)
    grid = WindowGrid.of(case.plan.load.measured_stretches_ns(), objective.window_ns or NS_PER_S)
    found = count_windows(cell.slo_series(metric), grid, percentile, limit_ns)
    verdict, why, undecided = _verdict(found), "", None
    if verdict is Verdict.PASS and (short := censored_below_count(cell, metric, limit_ns)):
        verdict = Verdict.INCONCLUSIVE
        why = f"; {format_count(short, 'signal')} that never arrived had less time than the limit"
    if verdict is Verdict.FAIL and metric is not Metric.LATENESS:
        if not _beyond(objective, cell, grid, Metric.SERVICE):
            undecided, why = GENERATOR_TOO_LATE
        elif not _surely(objective, cell, grid):
            undecided, why = OBSERVER_TOO_SLOW
        elif host := interference_explains_miss(case, objective, cell):
            undecided, why = host_interfered(host)
        verdict = Verdict.INCONCLUSIVE if undecided else verdict
    if verdict is Verdict.FAIL and not _arrivals_beyond(objective, cell, grid):
        verdict, undecided, why = judge_rejected_by_late_data(objective, cell, case)
    most_ns = cell.histogram(metric).max_ns
    return spec.judged(
        verdict,
        _format_windows(objective, found, grid, most_ns) + format_rejected(cell, metric) + why,
        {
            "windows": found.windows,
            "windows_sparse": found.sparse,
            "windows_at_limit": found.at_limit,
            "worst_start_ns": found.worst.start_ms * NS_PER_MS if found.worst else None,
            "worst_ns": min(found.worst.value_ns, most_ns) if found.worst else None,
            "worst_signals": found.worst.signals if found.worst else None,
            "limit_ns": limit_ns,
            INCONCLUSIVE_BY: undecided,
        },
    )


def _verdict(found: WindowCensus) -> Verdict:
    if found.worst is None:
        return Verdict.INCONCLUSIVE
    return Verdict.FAIL if found.at_limit else Verdict.PASS


def _surely(objective: Objective, cell: Cell, grid: WindowGrid) -> bool:
    """Whether some window breaks the limit also by the least that is known of each signal."""
    if Metric.COMMITTED not in cell.series:  # nothing was seen to arrive
        return not cell.histogram(Metric.UNSEEN).count
    return _beyond(objective, cell, grid, Metric.COMMITTED)


def _beyond(objective: Objective, cell: Cell, grid: WindowGrid, metric: Metric) -> bool:
    """Whether some window breaks the limit by another measure of its signals too."""
    limit_ns, percentile = objective.limit_ns or 0, objective.percentile or 50.0
    if metric not in cell.series:
        return True
    signals, slow = cell.series[Metric.LATENCY], cell.slo_series(metric)
    return windows_over_limit(signals, slow, grid, percentile, limit_ns) > 0


def _arrivals_beyond(objective: Objective, cell: Cell, grid: WindowGrid) -> bool:
    """Whether some window breaks the limit without its rejections too."""
    metric, limit_ns = Metric(objective.metric), objective.limit_ns or 0
    whole, part = cell.slo_series(metric), cell.rejected.get(metric)
    if not part:
        return True
    slow = whole.within_layout()
    return windows_over_limit(whole, slow, grid, objective.percentile or 50.0, limit_ns) > 0


def _format_windows(
    objective: Objective, found: WindowCensus, grid: WindowGrid, most_ns: int
) -> str:
    rank = format_percentile(objective.percentile or 50.0)
    window_s = (objective.window_ns or 0) / NS_PER_S
    limit = f"the limit is {format_duration(objective.limit_ns)}"
    kind = f"{format_count(found.windows, 'window')} of {window_s:g} s"
    if found.worst is None:
        return (
            f"none of {kind} has enough signals for {rank}; {limit};"
            " raise the rate or the length of the window"
        )
    worst = found.worst
    message = (
        f"{rank} of {objective.metric} in the worst of {kind} is"
        f" {format_duration(min(worst.value_ns, most_ns))}"
        f" (from {worst.start_ms / 1_000:.2f} s on, {format_count(worst.signals, 'signal')});"
        f" {limit}"
    )
    if found.at_limit:
        message += f", which {format_count(found.at_limit, 'window')} did not keep"
    if found.sparse:
        message += f"; {found.sparse:,} had too few signals for {rank} and were not judged"
    return f"{message}; a window begins every {grid.step_ms / 1_000:g} s"
