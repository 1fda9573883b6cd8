"""The signals that no fault can have touched, as a cell of their own.

A cell's series are cut: signals that were intended within a window of a fault are left out, and
the windows are cut out of the time axis, so that the parts before and after them are adjacent. The
result is that of a run without those stretches. As in a series, a duration is known by its bucket
and has the largest value of it.
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
    """The windows after t0 in whole ms, first and last included, in order and apart."""
    found: list[tuple[int, int]] = []
    for window in sorted(windows, key=lambda one: one.start_ns):
        start_ms = max(0, (window.start_ns - t0_ns) // NS_PER_MS)
        end_ms = max(0, (window.end_ns - t0_ns) // NS_PER_MS)
        if found and start_ms <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], end_ms))
        elif end_ms >= start_ms:
            found.append((start_ms, end_ms))
    return found


def baseline_cell(cell: Cell, windows: Sequence[FaultWindow], t0_ns: int) -> Cell:
    """What of a cell lies outside of all windows, as far as its order in time was kept.

    Args:
        cell: with series of all that is wanted.
        windows: of the faults, in any order.
        t0_ns: start of the load.
    """
    spans = merged_windows_ms(windows, t0_ns)
    found = Cell()
    for metric, series in cell.series.items():
        found.series[metric] = _cut(series, spans)
        found.histograms[metric] = HistogramBuilder.of(found.series[metric].histogram())
    for metric, series in cell.censored_series.items():
        found.censored_series[metric] = _cut(series, spans)
        found.censored_durations[metric] = HistogramBuilder.of(
            found.censored_series[metric].histogram()
        )
    found.rejected = {metric: _cut(series, spans) for metric, series in cell.rejected.items()}
    never_came = len(found.censored_series.get(Metric.LATENCY, ()))
    found.censored = never_came
    found.account = SignalOutcomeCounts(rejected_by=cell.account.rejected_by)
    return found


def baseline_duration_ns(
    stretches_ns: Sequence[tuple[int, int]], windows: Sequence[FaultWindow], t0_ns: int
) -> int:
    """How much of some stretches, counted from t0, lies outside of all windows."""
    total_ns = sum(end - start for start, end in stretches_ns)
    for first_ms, last_ms in merged_windows_ms(windows, t0_ns):
        for start, end in stretches_ns:
            over = min(end, (last_ms + 1) * NS_PER_MS) - max(start, first_ms * NS_PER_MS)
            total_ns -= max(0, over)
    return total_ns


def without_fault_time(
    windows: Sequence[FaultWindow], cut: Sequence[FaultWindow], t0_ns: int
) -> list[FaultWindow]:
    """Windows as a cell has them from which others were cut with `baseline_cell`.

    Args:
        windows: on the clock of the run; what of them lies within a cut has no length.
        cut: what the cell leaves out.
        t0_ns: start of the load.
    """
    spans = merged_windows_ms(cut, t0_ns)

    def moved(mono_ns: int) -> int:
        gone_ns = 0
        for first_ms, last_ms in spans:
            start_ns, end_ns = first_ms * NS_PER_MS, (last_ms + 1) * NS_PER_MS
            gone_ns += max(0, min(mono_ns - t0_ns, end_ns) - start_ns)
        return mono_ns - gone_ns

    return [FaultWindow(moved(one.start_ns), moved(one.end_ns)) for one in windows]


def _cut(series: Series, spans: Spans) -> Series:
    return Series.from_chunks(_blocks_outside(series, spans))


def _blocks_outside(
    series: Series, spans: Spans
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint16]]]:
    for when, what in series.chunks():
        at = when.astype(np.int64)
        outside = np.ones(len(at), dtype=np.bool_)
        gone = np.zeros(len(at), dtype=np.int64)
        for first_ms, last_ms in spans:
            outside &= (at < first_ms) | (at > last_ms)
            gone += np.where(at > last_ms, last_ms + 1 - first_ms, 0)
        if outside.any():
            yield (at - gone)[outside].astype(np.uint32), what[outside]
