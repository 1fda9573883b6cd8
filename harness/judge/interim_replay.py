"""The interim analyses of a run, made again from its evidence."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.recorder import CellKey, Metric
from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.records import Mode
from harness.judge.check import CheckContext
from harness.judge.interim_analysis import (
    InterimAnalysis,
    InterimEstimate,
    estimate_percentile,
    estimate_share,
    is_share,
)
from harness.judge.scope import mode_name
from harness.judge.shares import share_series
from harness.scenario import Objective, Phase


def replay_analyses(case: CheckContext) -> tuple[InterimAnalysis, ...]:
    """What each analysis finds up to the one at which the load ended; none for a fixed length.

    While the load was on, a signal that was still open counted as beyond every limit; here it has
    its final latency.
    """
    load = case.requested_load
    if load is None or load.until_decided_s is None:
        return ()
    times_s = load.analysis_times_s()
    measured_s = case.analysis.timeline.duration_ns(Phase.MEASURE) / NS_PER_S
    made = []
    for number, time_s in enumerate(times_s, start=1):
        if round(time_s - measured_s, 6) > 0:
            break
        end_ms = round((load.warmup_s + time_s) * NS_PER_S) // NS_PER_MS
        findings = tuple(
            finding
            for objective in case.scenario.parsed_objectives()
            if objective.is_estimated and (objective.is_latency_percentile or is_share(objective))
            for finding in _findings(case, objective, time_s, end_ms)
        )
        if findings:
            made.append(
                InterimAnalysis(
                    number=number,
                    measured_s=time_s,
                    left_s=times_s[-1] - time_s,
                    findings=findings,
                )
            )
    return tuple(made)


def _findings(
    case: CheckContext, objective: Objective, time_s: float, end_ms: int
) -> Iterator[InterimEstimate]:
    if is_share(objective):
        whole, marks = share_series(case, objective)
        if len(series := whole.before(end_ms)):
            early = marks.before(end_ms)
            yield estimate_share(objective, series, early, time_s, case.confidence)
        return
    cells = {mode: case.analysis.signals.cells.get(CellKey(Phase.MEASURE, mode)) for mode in Mode}
    present = {mode: cell for mode, cell in cells.items() if cell and cell.account.ordinary}
    for mode, cell in present.items():
        if objective.mode not in (None, mode.name.lower()):
            continue
        name = mode_name(objective, mode, several=objective.mode is None and len(present) > 1)
        series = cell.slo_series(Metric.LATENCY).before(end_ms)
        if len(series):
            yield estimate_percentile(name, objective, series, time_s, case.confidence)
