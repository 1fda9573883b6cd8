"""The census equals the evaluation of each window by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.analysis.histogram import Histogram
from harness.analysis.series import Series
from harness.analysis.sliding_windows import (
    WindowGrid,
    allowed_above,
    count_windows,
    windows_over_limit,
)

MS = 1_000_000
S = 1_000 * MS
Signals = list[tuple[int, int]]

LOADS = st.lists(st.tuples(st.integers(0, 7_999), st.integers(-5, 900)), min_size=1, max_size=120)
SPANS = st.sampled_from([((0, 8 * S),), ((0, 3 * S), (4 * S, 8 * S)), ((500 * MS, 4_250 * MS),)])


def series_of(signals: Signals, cuts: tuple[int, ...] = ()) -> Series:
    """Signals (intended time, latency; both in ms), added in parts."""
    series = Series()
    for part in np.split(np.array(signals, dtype=np.int64).reshape(-1, 2), sorted(cuts)):
        series.add(part[:, 0] * MS, part[:, 1] * MS)
    return series


def brute(
    signals: Signals, grid: WindowGrid, percentile: float
) -> list[tuple[int, int, int | None]]:
    """Start, size and percentile of each window, by sorting it."""
    found = []
    spans = list(zip(grid.starts_ms.tolist(), grid.ends_ms.tolist(), strict=True))
    for first, last in zip(grid.first.tolist(), grid.last.tolist(), strict=True):
        start_ms = int(grid.begin_ms(np.array([first]))[0])
        end_ms = start_ms + (last - first) * grid.step_ms
        own_end = next(end for start, end in spans if start <= start_ms < end)
        latencies = [
            latencies * MS for due, latencies in signals if start_ms <= due < min(end_ms, own_end)
        ]
        rank = Histogram.of(latencies).rank_of(percentile)
        enough = len(latencies) - rank >= 1
        value = Histogram.of(sorted(latencies)[:rank]).counts if enough else None
        shown = None
        if value is not None:
            exact = sorted(latencies)[rank - 1]
            shown = -1 if exact < 0 else Histogram.of([exact, 10**12]).value_at_rank(1)
        found.append((start_ms, len(latencies), shown))
    return found


@settings(max_examples=150)
@given(LOADS, SPANS, st.sampled_from([50.0, 75.0, 90.0, 99.0]), st.integers(1, 900))
def test_census_is_that_of_every_window(
    signals: Signals, spans: tuple[tuple[int, int], ...], percentile: float, limit: int
) -> None:
    """The worst window, its value, and how many break the limit: as by sorting each window."""
    grid = WindowGrid.of(spans, S)
    found = count_windows(series_of(signals), grid, percentile, limit * MS)
    windows = brute(signals, grid, percentile)
    judged = [window for window in windows if window[2] is not None]
    assert (found.windows, found.sparse) == (len(windows), len(windows) - len(judged))
    if not judged:
        assert found.worst is None
        return
    worst = max(value for _, _, value in judged if value is not None)
    first = next(window for window in judged if window[2] == worst)
    assert found.worst is not None
    assert (found.worst.start_ms, found.worst.signals, found.worst.value_ns) == first
    assert found.at_limit == sum(value is not None and value >= limit * MS for *_, value in judged)


@given(LOADS, st.lists(st.integers(0, 120), max_size=4), st.randoms(use_true_random=False))
def test_any_split_and_order_gives_the_same(
    signals: Signals, cuts: list[int], random: object
) -> None:
    """In which blocks, and in which order, durations came makes no difference."""
    grid = WindowGrid.of([(0, 8 * S)], 2 * S)
    mixed = list(signals)
    random.shuffle(mixed)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    whole = count_windows(series_of(signals), grid, 90.0, 100 * MS)
    assert count_windows(series_of(mixed, tuple(cuts)), grid, 90.0, 100 * MS) == whole


@given(LOADS, SPANS)
def test_no_measured_signal_is_left_out(
    signals: Signals, spans: tuple[tuple[int, int], ...]
) -> None:
    """Each signal of a span lies in a window of that span."""
    grid = WindowGrid.of(spans, S)
    due = np.array([due for due, _ in signals], dtype=np.int64)
    inside = sum(any(a <= d * MS < b for a, b in spans) for d in due.tolist())
    step = grid.step_of(due)
    assert int((step >= 0).sum()) == inside
    covered = np.zeros(grid.steps, dtype=np.bool_)
    for first, last in zip(grid.first.tolist(), grid.last.tolist(), strict=True):
        assert 0 <= first < last <= grid.steps
        covered[first:last] = True
    assert covered.all()


@given(
    st.integers(1, 10_000),
    st.sampled_from([50.0, 90.0, 99.0, 99.9, 99.123456789]),
)
def test_allowed_is_what_the_rank_leaves(size: int, percentile: float) -> None:
    """As many may lie above as the histogram's rank leaves; too few signals allow none."""
    counts = np.ones(1, dtype=np.int64)
    rank = Histogram(counts=counts * size).rank_of(percentile)
    allowed = int(allowed_above(counts * size, percentile)[0])
    assert allowed == size - rank
    assert (allowed == 0) == (size < 1 / (1 - percentile / 100) - 1e-9)


def test_long_runs_have_coarser_steps_not_more() -> None:
    """The number of steps is bounded; a step divides the window at every length of run."""
    for hours in (1, 10, 100, 24 * 7):
        for window_s in (1, 2.5, 10, 60):
            grid = WindowGrid.of([(0, hours * 3_600 * S)], round(window_s * S))
            assert grid.steps <= max(200_001, math.ceil(hours * 3_600 / window_s))
            assert int(grid.last[0]) * grid.step_ms == round(window_s * 1_000)


@pytest.mark.parametrize("limit_s", [0, 5_000, 90_000])
def test_limits_beyond_the_histogram(limit_s: int) -> None:
    """A limit of nothing is broken by everything, one beyond the layout by overflow only."""
    grid = WindowGrid.of([(0, 2 * S)], S)
    signals = [(due, 10) for due in range(0, 2_000, 10)]
    found = count_windows(series_of(signals), grid, 50.0, limit_s * S)
    assert found.at_limit == (found.windows if limit_s == 0 else 0)
    over = count_windows(
        series_of([(due, 5_000_000) for due, _ in signals]), grid, 50.0, limit_s * S
    )
    assert over.at_limit == over.windows


def test_signals_without_a_second_measure_count_as_quick() -> None:
    """What the other measure does not know cannot make a window fail."""
    grid = WindowGrid.of([(0, 2 * S)], S)
    signals = [(due, 600) for due in range(0, 2_000, 10)]
    series: NDArray[np.int64] = np.array(signals)
    assert windows_over_limit(series_of(signals), series_of(signals), grid, 50.0, 500 * MS) > 0
    few = [(int(due), 600) for due in series[::4, 0]]
    assert windows_over_limit(series_of(signals), series_of(few), grid, 50.0, 500 * MS) == 0
