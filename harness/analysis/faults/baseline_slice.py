"""The baseline of a cell: the signals that no fault can affect.

Signals intended within a fault window are removed from a cell's series, and the length of the
windows is removed from their times, so that the parts before and after a window are adjacent. The
result is judged like a run without these windows. As in a series, a duration is known by its
bucket, and counts as the largest value of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.analysis.faults.fault_windows import FaultWindow
from harness.analysis.histogram import HistogramBuilder
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, Metric
from harness.analysis.series import Series
from harness.clock import NS_PER_MS

Spans = Sequence[tuple[int, int]]


def merged_windows_ms(windows: Sequence[FaultWindow], t0_ns: int) -> list[tuple[int, int]]:
    """Disjoint windows after t0 in whole ms, first and last included, in order."""
    baseline: list[tuple[int, int]] = []
    for window in sorted(windows, key=lambda one: one.start_ns):
        start_ms = max(0, (window.start_ns - t0_ns) // NS_PER_MS)
        end_ms = max(0, (window.end_ns - t0_ns) // NS_PER_MS)
        if baseline and start_ms <= baseline[-1][1] + 1:
            baseline[-1] = (baseline[-1][0], max(baseline[-1][1], end_ms))
        elif end_ms >= start_ms:
            baseline.append((start_ms, end_ms))
    return baseline


def baseline_cell(cell: Cell, windows: Sequence[FaultWindow], t0_ns: int) -> Cell:
    """The part of a cell outside of all windows, for the metrics that have a series.

    Args:
        cell: with a series of every metric that is needed.
        windows: of the faults, in any order.
        t0_ns: start of the load.
    """
    spans = merged_windows_ms(windows, t0_ns)
    baseline = Cell()
    for metric, series in cell.series.items():
        baseline.series[metric] = _cut(series, spans)
        baseline.histograms[metric] = HistogramBuilder.of(baseline.series[metric].histogram())
    for metric, series in cell.censored_series.items():
        baseline.censored_series[metric] = _cut(series, spans)
        baseline.censored_durations[metric] = HistogramBuilder.of(
            baseline.censored_series[metric].histogram()
        )
    baseline.rejected = {metric: _cut(series, spans) for metric, series in cell.rejected.items()}
    never_arrived = len(baseline.censored_series.get(Metric.LATENCY, ()))
    baseline.censored = never_arrived
    baseline.account = SignalOutcomeCounts(rejected_by=cell.account.rejected_by)
    return baseline


def baseline_duration_ns(
    stretches_ns: Sequence[tuple[int, int]], windows: Sequence[FaultWindow], t0_ns: int
) -> int:
    """Length of the parts of these spans after t0 that lie outside of all windows."""
    total_ns = sum(end - start for start, end in stretches_ns)
    for first_ms, last_ms in merged_windows_ms(windows, t0_ns):
        for start, end in stretches_ns:
            over = min(end, (last_ms + 1) * NS_PER_MS) - max(start, first_ms * NS_PER_MS)
            total_ns -= max(0, over)
    return total_ns


def without_fault_time(
    windows: Sequence[FaultWindow], cut: Sequence[FaultWindow], t0_ns: int
) -> list[FaultWindow]:
    """Windows on the shortened time of a cell that `baseline_cell` made.

    Args:
        windows: on the clock of the run; their parts within a cut have no length.
        cut: windows that the cell leaves out.
        t0_ns: start of the load.
    """
    spans = merged_windows_ms(cut, t0_ns)

    def shifted(mono_ns: int) -> int:
        removed_ns = 0
        for first_ms, last_ms in spans:
            start_ns, end_ns = first_ms * NS_PER_MS, (last_ms + 1) * NS_PER_MS
            removed_ns += max(0, min(mono_ns - t0_ns, end_ns) - start_ns)
        return mono_ns - removed_ns

    return [FaultWindow(shifted(one.start_ns), shifted(one.end_ns)) for one in windows]


def _cut(series: Series, spans: Spans) -> Series:
    return Series.from_chunks(_blocks_outside(series, spans))


def _blocks_outside(
    series: Series, spans: Spans
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint16]]]:
    for when, what in series.chunks():
        at = when.astype(np.int64)
        outside = np.ones(len(at), dtype=np.bool_)
        removed_ms = np.zeros(len(at), dtype=np.int64)
        for first_ms, last_ms in spans:
            outside &= (at < first_ms) | (at > last_ms)
            removed_ms += np.where(at > last_ms, last_ms + 1 - first_ms, 0)
        if outside.any():
            yield (at - removed_ms)[outside].astype(np.uint32), what[outside]
