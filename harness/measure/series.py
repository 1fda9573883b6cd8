"""Durations in the order of time, six bytes a signal: when it was intended, and its bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.clock import NS_PER_MS
from harness.measure.histogram import BUCKETS, LIMIT_NS, Values, bucket_high_ns, bucket_index

# Stand at either end, as in a histogram; buckets in between are shifted by one.
_BELOW = 0
_ABOVE = BUCKETS + 1
_KEY_BITS = 16
INTERVALS_MAX = 600


@dataclass(frozen=True, slots=True)
class IntervalSummary:
    """The durations of one stretch of time. None where there is no value to tell.

    Attributes:
        start_s: seconds after t0, by intended time.
    """

    start_s: float
    length_s: float
    count: int
    p50_ns: int
    p99_ns: int
    max_ns: int


class Series:
    """Durations under way."""

    def __init__(self) -> None:
        self._when: list[NDArray[np.uint32]] = []
        self._what: list[NDArray[np.uint16]] = []

    def add(self, since_t0_ns: Values, durations_ns: Values) -> None:
        """Append durations of signals that were intended so long after t0."""
        when = np.clip(since_t0_ns // NS_PER_MS, 0, np.iinfo(np.uint32).max)
        self._when.append(when.astype(np.uint32))
        inside = np.clip(durations_ns, 0, LIMIT_NS - 1)
        what = bucket_index(inside) + 1
        what[durations_ns < 0] = _BELOW
        what[durations_ns >= LIMIT_NS] = _ABOVE
        self._what.append(what.astype(np.uint16))

    def __len__(self) -> int:
        return sum(len(part) for part in self._when)

    def columns(self) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        """Milliseconds after t0 and place of the duration: larger for longer ones."""
        if len(self._when) != 1:
            self._when = [np.concatenate([np.empty(0, np.uint32), *self._when])]
            self._what = [np.concatenate([np.empty(0, np.uint16), *self._what])]
        return self._when[0], self._what[0]

    def counts_by_interval(self, length_s: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """For each stretch that has any: its number, and how many durations lie in each bucket.

        Those outside the layout are left out here; the whole histogram tells them.
        """
        when, what = self.columns()
        keys = (when // np.uint32(1_000 * length_s)).astype(np.int64) << _KEY_BITS
        keys |= what
        keys.sort()
        numbers = keys >> _KEY_BITS
        edges = np.flatnonzero(np.diff(numbers, prepend=-1))
        for start, end in zip(edges, [*edges[1:], len(keys)], strict=True):
            places = keys[start:end] & ((1 << _KEY_BITS) - 1)
            counts = np.bincount(places, minlength=BUCKETS + 2)
            yield int(numbers[start]), counts[1 : BUCKETS + 1]


def interval_length_s(duration_ns: int) -> int:
    """One second, or as many as it takes to keep the number of intervals bounded."""
    return max(1, -(-duration_ns // (INTERVALS_MAX * 1_000 * NS_PER_MS)))


def summarize(number: int, length_s: int, counts: NDArray[np.int64]) -> IntervalSummary:
    """Figures of one stretch; values are upper ends of buckets."""
    sums = np.cumsum(counts)
    total = int(sums[-1])

    def at(rank: int) -> int:
        return bucket_high_ns(int(np.searchsorted(sums, max(1, rank)))) if total else 0

    return IntervalSummary(
        start_s=float(number * length_s),
        length_s=float(length_s),
        count=total,
        p50_ns=at(-(-total // 2)),
        p99_ns=at(-(-99 * total // 100)),
        max_ns=at(total),
    )
