"""Durations in the order of time, six bytes a signal: when it was intended, and its bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import (
    BUCKETS,
    LIMIT_NS,
    Histogram,
    Values,
    bucket_high_ns,
    bucket_index,
)
from harness.clock import NS_PER_MS

# Stand at either end, as in a histogram; buckets in between are shifted by one.
_BELOW = 0
_ABOVE = BUCKETS + 1
BIN_COUNT = _ABOVE + 1
_KEY_BITS = 16
_KEY_MAX = (1 << _KEY_BITS) - 1
_BLOCK = 65_536
INTERVALS_MAX = 600


SeriesChunk = tuple[NDArray[np.uint32], NDArray[np.uint16]]


class Series:
    """Durations under way, kept in blocks so that nothing is ever held twice."""

    def __init__(self) -> None:
        self._blocks: list[SeriesChunk] = []
        self._fresh: list[SeriesChunk] = []
        self._fresh_size = 0
        self._size = 0

    @classmethod
    def from_chunks(cls, blocks: Iterable[SeriesChunk]) -> Series:
        """One of blocks of another."""
        made = cls()
        made._blocks = list(blocks)
        made._size = sum(len(when) for when, _ in made._blocks)
        return made

    def add(self, since_t0_ns: Values, durations_ns: Values) -> None:
        """Append durations of signals that were intended so long after t0."""
        when = np.clip(since_t0_ns // NS_PER_MS, 0, np.iinfo(np.uint32).max)
        inside = np.clip(durations_ns, 0, LIMIT_NS - 1)
        what = bucket_index(inside) + 1
        what[durations_ns < 0] = _BELOW
        what[durations_ns >= LIMIT_NS] = _ABOVE
        self._fresh.append((when.astype(np.uint32), what.astype(np.uint16)))
        self._size += len(when)
        self._fresh_size += len(when)
        if self._fresh_size >= _BLOCK:
            self._pack()

    def before(self, end_ms: int) -> Series:
        """The durations of signals that were intended earlier than so long after t0."""
        blocks = ((when < end_ms, (when, what)) for when, what in self.chunks())
        return Series.from_chunks((when[kept], what[kept]) for kept, (when, what) in blocks)

    def __len__(self) -> int:
        return self._size

    def chunks(self) -> list[SeriesChunk]:
        """Milliseconds after t0, and place of the duration: larger for longer ones."""
        self._pack()
        return self._blocks

    def counts_by_bin(self) -> NDArray[np.int64]:
        """How many durations have each place."""
        total = np.zeros(_ABOVE + 1, dtype=np.int64)
        for _, what in self.chunks():
            total += np.bincount(what, minlength=_ABOVE + 1)
        return total

    def histogram(self) -> Histogram:
        """Of the durations, each at the end of its bucket; sums are not known and left out."""
        places = self.counts_by_bin()
        filled = np.flatnonzero(places)
        ends = [bin_high_ns(int(place)) for place in filled[[0, -1]]] if len(filled) else [0, 0]
        return Histogram(
            counts=places[1:-1].copy(),
            negative=int(places[0]),
            overflow=int(places[-1]),
            min_ns=ends[0],
            max_ns=ends[1],
        )

    def with_overflow(self, part: Series) -> Series:
        """The same with each duration of a part of it moved above the layout; order is lost."""
        keys, moved = np.sort(self._keys()), np.sort(part._keys())
        equal = np.arange(len(moved)) - np.searchsorted(moved, moved)
        keys[np.searchsorted(keys, moved) + equal] |= np.uint64(_KEY_MAX)
        what = np.minimum(keys & np.uint64(_KEY_MAX), np.uint64(_ABOVE)).astype(np.uint16)
        return Series.from_chunks([((keys >> np.uint64(_KEY_BITS)).astype(np.uint32), what)])

    def within_layout(self) -> Series:
        """The same without what lies above the layout."""
        return Series.from_chunks(
            (when[what < _ABOVE], what[what < _ABOVE]) for when, what in self.chunks()
        )

    def _keys(self) -> NDArray[np.uint64]:
        keys = [
            when.astype(np.uint64) << np.uint64(_KEY_BITS) | what for when, what in self.chunks()
        ]
        return np.concatenate(keys).astype(np.uint64)

    def span_ms(self) -> tuple[int, int]:
        """First and last intended time; only of a series that is not empty."""
        blocks = self.chunks()
        return min(int(w.min()) for w, _ in blocks), max(int(w.max()) for w, _ in blocks)

    def batches(
        self, start_ms: int, width_ms: int, number: int, place: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each stretch of time: how many durations, and how many above a place."""
        counts = np.zeros(number, dtype=np.int64)
        above = np.zeros(number, dtype=np.int64)
        for when, what in self.chunks():
            batch = (when - np.uint32(start_ms)) // np.uint32(width_ms)
            counts += np.bincount(batch, minlength=number)
            above += np.bincount(batch[what > place], minlength=number)
        return counts, above

    def counts_by_interval(self, length_s: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """For each stretch that has any: its number, and how many durations lie in each bucket.

        Those outside the layout are left out here; the whole histogram tells them.
        """
        keys = np.empty(self._size, dtype=np.uint32)
        first = 0
        for when, what in self.chunks():
            own = keys[first : first + len(when)]
            # At most INTERVALS_MAX stretches and a few beyond the last: both halves fit.
            own[:] = np.minimum(when // np.uint32(1_000 * length_s), _KEY_MAX) << _KEY_BITS
            own |= what
            first += len(when)
        keys.sort()
        end = 0
        while end < len(keys):
            number = int(keys[end]) >> _KEY_BITS
            begin = end
            # The last key of this number; a larger type than the keys' would copy them all.
            last = np.uint32(number << _KEY_BITS | _KEY_MAX)
            end = int(np.searchsorted(keys, last, side="right"))
            places = keys[begin:end] & np.uint32(_KEY_MAX)
            counts = np.bincount(places, minlength=_ABOVE + 1)
            yield number, counts[1:_ABOVE]

    def _pack(self) -> None:
        if self._fresh:
            when, what = zip(*self._fresh, strict=True)
            self._blocks.append((np.concatenate(when), np.concatenate(what)))
            self._fresh, self._fresh_size = [], 0


def bin_below(limit_ns: int) -> int:
    """The last place of which all durations lie below a limit."""
    if limit_ns >= LIMIT_NS:
        return _ABOVE - 1
    return int(bucket_index(np.array([limit_ns], dtype=np.int64))[0])


def bin_high_ns(place: int) -> int:
    """The largest duration of a place; -1 below zero, LIMIT_NS above the layout."""
    if place == _BELOW:
        return -1
    return LIMIT_NS if place == _ABOVE else bucket_high_ns(place - 1)


def interval_length_s(duration_ns: int) -> int:
    """One second, or as many as it takes to keep the number of intervals bounded."""
    return max(1, -(-duration_ns // (INTERVALS_MAX * 1_000 * NS_PER_MS)))
