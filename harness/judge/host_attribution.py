"""Whether a missed objective is missed without the seconds of host interference, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.analysis.faults.baseline_slice import (
    baseline_cell,
    baseline_duration_ns,
    merged_windows_ms,
    without_fault_time,
)
from harness.analysis.faults.fault_windows import RECOVERY_LIMIT_NS, FaultWindow
from harness.analysis.recorder import Cell, Metric
from harness.analysis.series import BIN_COUNT, Series, bin_high_ns
from harness.analysis.sliding_windows import WindowGrid, count_windows
from harness.analysis.statistics import estimate_effective_sample, percentile_interval, size_needed
from harness.clock import NS_PER_S
from harness.judge.check import CheckContext
from harness.judge.host_interference import (
    Interference,
    format_interference,
    host_interference,
    starved_by_runs,
)
from harness.judge.limits import INTERFERENCE_GAP_S, INTERFERENCE_SHARE, INTERFERENCE_SHARE_DOMINANT
from harness.judge.scope import excluded_windows, measured_ns, stretches_ns
from harness.scenario import Objective, Phase

_REASON = "without the signals of those seconds it could be met: not the system's alone"


def interference_explains_miss(case: CheckContext, objective: Objective, cell: Cell) -> str | None:
    """Why interference may explain a missed duration objective; None where it does not.

    Args:
        case: the run.
        objective: the missed one.
        cell: its signals.
    """
    found = host_interference(case)
    metric = Metric(objective.metric)
    if not objective.is_system_duration or not found:
        return None
    t0_ns = case.analysis.timeline.t0_ns
    apart = excluded_windows(case, objective)
    windows = _windows(_joined(found, t0_ns), cell.series[metric], t0_ns, apart)
    mostly = _interference_share(case, objective, found) >= INTERFERENCE_SHARE_DOMINANT
    if not mostly and not _could_be_met(case, objective, cell, windows):
        return None
    return f"{format_interference(found)}; {_REASON}"


def without_interference(
    case: CheckContext, objective: Objective, series: Series
) -> tuple[Series, str] | None:
    """A series without the signals that interference may have delayed, and why they are left out.

    Args:
        case: the run.
        objective: gives the time of which a share is affected.
        series: of latency, by intended time.

    Returns:
        None where no other program interfered. Where one did for most of the time, the series is
        empty.
    """
    found = host_interference(case)
    if not found:
        return None
    why, t0_ns = f"{format_interference(found)}; {_REASON}", case.analysis.timeline.t0_ns
    if _interference_share(case, objective, found) >= INTERFERENCE_SHARE_DOMINANT:
        return Series(), why
    windows = _windows(_joined(found, t0_ns), series, t0_ns)
    return _without_spans(series, merged_windows_ms(windows, t0_ns)), why


def interference_explains_inconclusive(case: CheckContext, objective: Objective) -> str | None:
    """Why interference keeps a duration undecided, however long the run; None where it does not."""
    found = host_interference(case)
    if not objective.is_system_duration or not found:
        return None
    mostly = _interference_share(case, objective, found) >= INTERFERENCE_SHARE
    return format_interference(found) if mostly else None


def interference_explains_rejections(case: CheckContext, limit: float) -> str | None:
    """Why interference may explain too many rejections; None where it does not.

    Args:
        case: the run.
        limit: what their share must stay below, 0..1.
    """
    found = host_interference(case)
    if not found:
        return None
    t0_ns = case.analysis.timeline.t0_ns
    disturbances = _joined(found, t0_ns)
    signals = rejected = 0
    for key, cell in case.analysis.signals.cells.items():
        if key.phase is not Phase.MEASURE or Metric.LATENCY not in cell.series:
            continue
        windows = _windows(disturbances, cell.series[Metric.LATENCY], t0_ns)
        rest = baseline_cell(cell, windows, t0_ns)
        signals += len(rest.series[Metric.LATENCY])
        rejected += len(rest.rejected.get(Metric.LATENCY, ()))
    if signals and rejected >= limit * signals:
        return None
    return f"{format_interference(found)}; {_REASON}"


def runs_explain_rejections(case: CheckContext, limit: float) -> str:
    """Why other runs of a harness may explain too many rejections of stale data, or "".

    Args:
        case: the run.
        limit: what their share must stay below, 0..1.
    """
    others = starved_by_runs(case)
    return others if others and interference_explains_rejections(case, limit) else ""


def _interference_share(
    case: CheckContext, objective: Objective, found: Sequence[Interference]
) -> float:
    """Share of the time of an objective with host interference."""
    t0_ns, whole_ns = case.analysis.timeline.t0_ns, measured_ns(case, objective)
    apart = [*excluded_windows(case, objective), *_joined(found, t0_ns)]
    baseline_ns = baseline_duration_ns(stretches_ns(case, objective), apart, t0_ns)
    return 1 - baseline_ns / whole_ns if whole_ns > 0 else 0.0


def _joined(found: Sequence[Interference], t0_ns: int) -> list[FaultWindow]:
    """The intervals of interference; gaps of some seconds are joined."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(span for one in found for span in one.spans_s):
        if joined and start - joined[-1][1] <= INTERFERENCE_GAP_S:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return [
        FaultWindow(t0_ns + round(start * NS_PER_S), t0_ns + round(end * NS_PER_S))
        for start, end in joined
    ]


def _could_be_met(
    case: CheckContext, objective: Objective, cell: Cell, windows: Sequence[FaultWindow]
) -> bool:
    """Whether the remaining signals may meet the objective."""
    metric, limit_ns = Metric(objective.metric), objective.limit_ns or 0
    percentile, t0_ns = objective.percentile or 50.0, case.analysis.timeline.t0_ns
    if objective.window_ns is not None:
        grid = WindowGrid.of(case.plan.load.measured_stretches_ns(), objective.window_ns)
        baseline = _without_spans(cell.slo_series(metric), merged_windows_ms(windows, t0_ns))
        return not len(baseline) or not count_windows(baseline, grid, percentile, limit_ns).at_limit
    rest = baseline_cell(cell, windows, t0_ns)
    histogram = rest.slo_histogram(metric)
    if percentile == 100.0:
        return histogram.max_ns < limit_ns
    if histogram.count < size_needed(percentile):
        return True
    effective = estimate_effective_sample(rest.slo_series(metric), percentile)
    bound = percentile_interval(histogram, percentile, effective, confidence=case.confidence)
    return bound is None or bound.lower_ns is None or bound.lower_ns < limit_ns


def _windows(
    disturbances: Sequence[FaultWindow],
    series: Series,
    t0_ns: int,
    apart: Sequence[FaultWindow] = (),
) -> list[FaultWindow]:
    """Disturbances on a series' clock, each until the signals intended in it were through.

    At most RECOVERY_LIMIT_NS longer, as after a fault: a system with a longer backlog is slow.
    """
    longest = [
        max(
            (_slowest_ns(block, merged_windows_ms([one], t0_ns)[0]) for block in series.chunks()),
            default=0,
        )
        for one in without_fault_time(disturbances, apart, t0_ns)
    ]
    longer = [
        FaultWindow(one.start_ns, one.end_ns + min(RECOVERY_LIMIT_NS, later_ns))
        for one, later_ns in zip(disturbances, longest, strict=True)
    ]
    return without_fault_time(longer, apart, t0_ns)


def _slowest_ns(
    block: tuple[NDArray[np.uint32], NDArray[np.uint16]], span_ms: tuple[int, int]
) -> int:
    when, what = block
    own = what[(when >= span_ms[0]) & (when <= span_ms[1])]
    return bin_high_ns(min(int(own.max()), BIN_COUNT - 2)) if len(own) else 0


def _without_spans(series: Series, spans: Sequence[tuple[int, int]]) -> Series:
    """Without the signals intended in some spans; time goes on in them."""

    def blocks() -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint16]]]:
        for when, what in series.chunks():
            baseline = np.ones(len(when), dtype=np.bool_)
            for first_ms, last_ms in spans:
                baseline &= (when < first_ms) | (when > last_ms)
            if baseline.any():
                yield when[baseline], what[baseline]

    return Series.from_chunks(blocks())
