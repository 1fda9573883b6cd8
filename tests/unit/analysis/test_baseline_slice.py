"""The baseline of a cell equals a cell without the signals and the time of the windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.faults.baseline_slice import (
    baseline_cell,
    baseline_duration_ns,
    merged_windows_ms,
)
from harness.analysis.faults.fault_windows import FaultWindow, baseline_durations
from harness.analysis.histogram import Histogram, HistogramBuilder
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, Metric
from harness.analysis.series import Series
from harness.analysis.statistics import estimate_effective_sample, percentile_interval
from harness.clock import NS_PER_MS

T0_NS = 7_000 * NS_PER_MS
Signals = list[tuple[int, int]]

SIGNALS = st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 900)), min_size=1, max_size=200)
WINDOWS = st.lists(
    st.tuples(st.integers(-500, 4_500), st.integers(0, 1_500)).map(
        lambda pair: FaultWindow(
            T0_NS + pair[0] * NS_PER_MS, T0_NS + (pair[0] + pair[1]) * NS_PER_MS
        )
    ),
    max_size=4,
)


def cell_of(signals: Signals) -> Cell:
    """Signals (intended time, latency; both in ms); each tenth never arrived."""
    due, latency = (
        np.array(part, dtype=np.int64) * NS_PER_MS for part in zip(*signals, strict=True)
    )
    cell = Cell(account=SignalOutcomeCounts())
    for metric in (Metric.LATENCY, Metric.SERVICE, Metric.COMMITTED):
        cell.histograms[metric], cell.series[metric] = HistogramBuilder(), Series()
        cell.histograms[metric].record(latency)
        cell.series[metric].add(due, latency)
    if len(due[::10]):
        cell.censored_series[Metric.LATENCY] = Series()
        cell.censored_series[Metric.LATENCY].add(due[::10], latency[::10])
    return cell


def is_outside(due_ms: int, windows: list[FaultWindow]) -> bool:
    """By comparison with each window."""
    return not any(
        max(0, (one.start_ns - T0_NS) // NS_PER_MS)
        <= due_ms
        <= max(0, (one.end_ns - T0_NS) // NS_PER_MS)
        for one in windows
    )


@settings(max_examples=150)
@given(SIGNALS, WINDOWS)
def test_it_holds_the_signals_of_no_window(signals: Signals, windows: list[FaultWindow]) -> None:
    """Each once, with its duration; and those that never arrived among them."""
    found = baseline_cell(cell_of(signals), windows, T0_NS)
    outside = [latency for due, latency in signals if is_outside(due, windows)]
    histogram = found.histogram(Metric.LATENCY)
    expected = Histogram.of(np.array(outside, dtype=np.int64) * NS_PER_MS)
    assert np.array_equal(histogram.counts, expected.counts)
    assert histogram.count == len(found.series[Metric.LATENCY]) == len(outside)
    assert expected.max_ns <= histogram.max_ns <= expected.max_ns * 1.001
    never = [latency for due, latency in signals[::10] if is_outside(due, windows)]
    assert found.censored == found.censored_histogram(Metric.LATENCY).count == len(never)
    durations = baseline_durations(cell_of(signals).series[Metric.LATENCY], windows, T0_NS)
    assert durations.count == len(outside)


@settings(max_examples=100)
@given(SIGNALS, WINDOWS, st.integers(1, 5_000))
def test_what_happens_within_a_window_does_not_matter(
    signals: Signals, windows: list[FaultWindow], other: int
) -> None:
    """Latencies within the windows change neither estimate nor bounds."""
    changed = [(due, latency if is_outside(due, windows) else other) for due, latency in signals]
    one, two = (baseline_cell(cell_of(own), windows, T0_NS) for own in (signals, changed))
    assert bounds(one) == bounds(two)


@settings(max_examples=100)
@given(SIGNALS)
def test_without_a_window_it_is_the_ordinary_form(signals: Signals) -> None:
    """The same series, buckets, size and bounds; a maximum at the end of its bucket."""
    cell = cell_of(signals)
    assert bounds(baseline_cell(cell, (), T0_NS)) == bounds(baseline_cell(cell, (), 0))
    found = baseline_cell(cell, (), T0_NS)
    whole = estimate_effective_sample(cell.series[Metric.LATENCY], 90.0)
    assert estimate_effective_sample(found.series[Metric.LATENCY], 90.0) == whole
    assert np.array_equal(
        found.histogram(Metric.LATENCY).counts, cell.histogram(Metric.LATENCY).counts
    )


@settings(max_examples=100)
@given(SIGNALS, st.integers(0, 4_000), st.integers(0, 1_500))
def test_a_window_is_cut_out_of_time(signals: Signals, start_ms: int, length_ms: int) -> None:
    """A removed window leaves the same times, durations and effective sample size."""
    end_ms = start_ms + length_ms
    window = FaultWindow(T0_NS + start_ms * NS_PER_MS, T0_NS + end_ms * NS_PER_MS)
    never_been = [
        (due if due < start_ms else due - length_ms - 1, latency)
        for due, latency in signals
        if due < start_ms or due > end_ms
    ]
    if never_been:
        found = baseline_cell(cell_of(signals), [window], T0_NS)
        expected = cell_of(never_been).series[Metric.LATENCY]
        assert _in_order(found.series[Metric.LATENCY]) == _in_order(expected)
        size = estimate_effective_sample(expected, 90.0)
        assert estimate_effective_sample(found.series[Metric.LATENCY], 90.0) == size


@settings(max_examples=100)
@given(WINDOWS)
def test_spans_are_apart_and_cover_the_windows(windows: list[FaultWindow]) -> None:
    """In any order; the time outside is the remainder of the span."""
    spans = merged_windows_ms(windows, T0_NS)
    assert spans == merged_windows_ms(windows[::-1], T0_NS)
    assert all(one[1] + 1 < two[0] for one, two in pairwise(spans))
    outside = sum(is_outside(due, windows) for due in range(4_000))
    assert baseline_duration_ns([(0, 4_000 * NS_PER_MS)], windows, T0_NS) == outside * NS_PER_MS


def _in_order(series: Series) -> list[tuple[int, int]]:
    return [
        pair
        for when, what in series.chunks()
        for pair in zip(when.tolist(), what.tolist(), strict=True)
    ]


def bounds(cell: Cell) -> tuple[object, ...]:
    """Everything that a percentile is judged by."""
    series, histogram = cell.series[Metric.LATENCY], cell.histogram(Metric.LATENCY)
    effective = estimate_effective_sample(series, 90.0)
    found = percentile_interval(histogram, 90.0, effective)
    return (
        effective,
        found and (found.estimate_ns, found.lower_ns, found.upper_ns),
        cell.censored_histogram(Metric.LATENCY).count,
        histogram.max_ns,
    )
