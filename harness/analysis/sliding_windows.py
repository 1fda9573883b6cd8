"""A percentile in every sliding window of a run: a census.

A window holds the signals intended in it. Windows begin at the start of a measured span of load and
after every step, a fiftieth of their length (coarser only in runs so long that there would be too
many steps). The last one ends with the span, so that no signal is left out; a span shorter than a
window is one window. The result describes these windows; nothing is inferred about others.

No window is sorted: the percentile of a window is at most v if no more signals than its rank allows
lie above v, and those are counted by steps and summed. The worst window's value is the least v that
holds for all windows, found by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.analysis.series import BIN_COUNT, Series, bin_below, bin_high_ns
from harness.clock import NS_PER_MS

Counts = NDArray[np.int64]
_Beyond = Callable[[int], NDArray[np.bool_]]

# Steps a window is cut into; each divides the next larger, and 100 ms.
_PARTS = (50, 20, 10, 5, 2, 1)
_STEPS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Time steps, numbered over all measured spans, and the windows made of them.

    Attributes:
        step_ms: length of a step.
        starts_ms: start of each span, after t0.
        ends_ms: its end.
        bases: number of its first step, and one more for the end of the last.
        first: of each window, its first step.
        last: of each window, the step after its last.
    """

    step_ms: int
    starts_ms: Counts
    ends_ms: Counts
    bases: Counts
    first: Counts
    last: Counts

    @classmethod
    def of(cls, stretches_ns: Sequence[tuple[int, int]], window_ns: int) -> WindowGrid:
        """The grid of these spans, which are not empty and in order of time."""
        total_ms = sum(end - start for start, end in stretches_ns) // NS_PER_MS
        window_ms = window_ns // NS_PER_MS
        parts = next(
            (part for part in _PARTS if total_ms * part <= _STEPS_MAX * window_ms), _PARTS[-1]
        )
        step_ms = window_ms // parts
        starts = [start // NS_PER_MS for start, _ in stretches_ns]
        ends = [-(-end // NS_PER_MS) for _, end in stretches_ns]
        steps = [-(-(end - start) // step_ms) for start, end in zip(starts, ends, strict=True)]
        bases = np.concatenate(([0], np.cumsum(steps))).astype(np.int64)
        first = [
            np.arange(base, base + max(1, number - parts + 1), dtype=np.int64)
            for base, number in zip(bases.tolist(), steps, strict=False)
        ]
        last = [
            np.minimum(own + parts, base + number)
            for own, base, number in zip(first, bases.tolist(), steps, strict=False)
        ]
        return cls(
            step_ms=step_ms,
            starts_ms=np.array(starts, dtype=np.int64),
            ends_ms=np.array(ends, dtype=np.int64),
            bases=bases,
            first=np.concatenate(first),
            last=np.concatenate(last),
        )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.bases[-1])

    def step_of(self, when_ms: Counts) -> Counts:
        """The step of each moment; -1 outside of every span."""
        span = np.searchsorted(self.starts_ms, when_ms, side="right") - 1
        inside = (span >= 0) & (when_ms < self.ends_ms[span])
        step = self.bases[span] + (when_ms - self.starts_ms[span]) // self.step_ms
        return np.where(inside, step, -1)

    def count(self, when_ms: Counts) -> Counts:
        """Number of moments in each step."""
        step = self.step_of(when_ms)
        return np.bincount(step[step >= 0], minlength=self.steps)

    def per_window(self, by_step: Counts) -> Counts:
        """Sums over the steps of each window."""
        sums = np.concatenate(([0], np.cumsum(by_step)))
        return np.asarray(sums[self.last] - sums[self.first], dtype=np.int64)

    def begin_ms(self, steps: Counts) -> Counts:
        """Start of steps, after t0."""
        span = np.searchsorted(self.bases, steps, side="right") - 1
        begin: Counts = self.starts_ms[span] + (steps - self.bases[span]) * self.step_ms
        return begin


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """One window.

    Attributes:
        start_ms: after t0.
        signals: number intended in it.
        value_ns: their percentile, the upper end of its bucket.
    """

    start_ms: int
    signals: int
    value_ns: int


@dataclass(frozen=True, slots=True)
class WindowCensus:
    """All windows of a run.

    Attributes:
        windows: number of windows.
        sparse: of them, those with fewer than 1 / (1 - p) signals; they have no such percentile.
        at_limit: of the others, those whose percentile is at or above the limit.
        worst: the first of those with the largest percentile; None when all are sparse.
    """

    windows: int
    sparse: int
    at_limit: int
    worst: SlidingWindow | None


def allowed_above(signals: Counts, percentile: float) -> Counts:
    """How many of so many signals may lie above the percentile; 0 for too few."""
    share = Fraction(str(percentile)) / 100
    sizes, back = np.unique(signals, return_inverse=True)
    allowed = [size - -(-share.numerator * size // share.denominator) for size in sizes.tolist()]
    return np.array(allowed, dtype=np.int64)[back].reshape(signals.shape)


def count_windows(
    series: Series, grid: WindowGrid, percentile: float, limit_ns: int
) -> WindowCensus:
    """Evaluate every window.

    Args:
        series: durations by intended time.
        grid: the windows.
        percentile: 0 < percentile < 100.
        limit_ns: limit of the percentile, exclusive.
    """
    signals = grid.per_window(_above(series, grid, -1))
    allowed = allowed_above(signals, percentile)
    has_percentile = allowed > 0

    def beyond(bin_number: int) -> NDArray[np.bool_]:
        above = grid.per_window(_above(series, grid, bin_number))
        mask: NDArray[np.bool_] = has_percentile & (above > allowed)
        return mask

    at_limit = int(beyond(bin_below(limit_ns)).sum())
    return WindowCensus(
        windows=len(signals),
        sparse=int((~has_percentile).sum()),
        at_limit=at_limit,
        worst=_worst(grid, signals, beyond) if has_percentile.any() else None,
    )


def windows_over_limit(
    signals: Series, slow: Series, grid: WindowGrid, percentile: float, limit_ns: int
) -> int:
    """Number of windows in which too many durations of another series reach a limit.

    Args:
        signals: gives the number of signals of each window.
        slow: durations of those signals by another metric; signals not in it count as fast.
        grid: the windows.
        percentile: 0 < percentile < 100.
        limit_ns: limit of the percentile, exclusive.
    """
    _, over = window_masks(signals, slow, grid, percentile, limit_ns)
    return int(over.sum())


def window_masks(
    signals: Series, slow: Series, grid: WindowGrid, percentile: float, limit_ns: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which windows have the percentile, and in which it is at or above a limit.

    `windows_over_limit` has the arguments.
    """
    allowed = allowed_above(grid.per_window(_above(signals, grid, -1)), percentile)
    above = grid.per_window(_above(slow, grid, bin_below(limit_ns)))
    return allowed > 0, (allowed > 0) & (above > allowed)


def _worst(grid: WindowGrid, signals: Counts, beyond: _Beyond) -> SlidingWindow:
    low, high = -1, BIN_COUNT - 1  # every duration is beyond -1; none is beyond the last bin
    while high - low > 1:
        middle = (low + high) // 2
        if beyond(middle).any():
            low = middle
        else:
            high = middle
    number = int(np.flatnonzero(beyond(high - 1))[0])
    return SlidingWindow(
        start_ms=int(grid.begin_ms(grid.first[number : number + 1])[0]),
        signals=int(signals[number]),
        value_ns=bin_high_ns(high),
    )


def _above(series: Series, grid: WindowGrid, bin_number: int) -> Counts:
    """Number of durations above a bin, by step."""
    total = np.zeros(grid.steps, dtype=np.int64)
    for when, what in series.chunks():
        chosen = when if bin_number < 0 else when[what > bin_number]
        total += grid.count(chosen.astype(np.int64))
    return total
