"""Durations in the order of time: intended time and histogram bucket, six bytes a signal."""

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

# Bins of durations below zero and above the layout; the buckets between are shifted by one.
_BELOW = 0
_ABOVE = BUCKETS + 1
BIN_COUNT = _ABOVE + 1
_KEY_BITS = 16
_KEY_MAX = (1 << _KEY_BITS) - 1
_BLOCK = 65_536
INTERVALS_MAX = 600


SeriesChunk = tuple[NDArray[np.uint32], NDArray[np.uint16]]


class Series:
    """Durations by intended time, in blocks, so that growing copies nothing."""

    def __init__(self) -> None:
        self._blocks: list[SeriesChunk] = []
        self._pending: list[SeriesChunk] = []
        self._pending_size = 0
        self._size = 0

    @classmethod
    def from_chunks(cls, blocks: Iterable[SeriesChunk]) -> Series:
        """A series of these blocks."""
        series = cls()
        # A cut through a series leaves blocks without a signal, which have no first and last time.
        series._blocks = [block for block in blocks if len(block[0])]
        series._size = sum(len(when) for when, _ in series._blocks)
        return series

    def add(self, since_t0_ns: Values, durations_ns: Values) -> None:
        """Append durations of signals by their intended time after t0."""
        if not len(since_t0_ns):
            return
        when = np.clip(since_t0_ns // NS_PER_MS, 0, np.iinfo(np.uint32).max)
        inside = np.clip(durations_ns, 0, LIMIT_NS - 1)
        what = bucket_index(inside) + 1
        what[durations_ns < 0] = _BELOW
        what[durations_ns >= LIMIT_NS] = _ABOVE
        self._pending.append((when.astype(np.uint32), what.astype(np.uint16)))
        self._size += len(when)
        self._pending_size += len(when)
        if self._pending_size >= _BLOCK:
            self._pack()

    def before(self, end_ms: int) -> Series:
        """The durations of signals intended before `end_ms` after t0."""
        blocks = ((when < end_ms, (when, what)) for when, what in self.chunks())
        return Series.from_chunks((when[kept], what[kept]) for kept, (when, what) in blocks)

    def within(self, spans_ms: Iterable[tuple[int, int]]) -> Series:
        """The durations of signals intended in some spans: start and end in ms after t0."""
        spans = tuple(spans_ms)

        def blocks() -> Iterator[SeriesChunk]:
            for when, what in self.chunks():
                first, last = int(when.min()), int(when.max())
                for start, end in spans:
                    if start <= last and first < end:
                        kept = (when >= start) & (when < end)
                        yield when[kept], what[kept]

        return Series.from_chunks(blocks())

    def __len__(self) -> int:
        return self._size

    def chunks(self) -> list[SeriesChunk]:
        """Intended times in ms after t0, and bins of the durations (ascending with them)."""
        self._pack()
        return self._blocks

    def counts_by_bin(self) -> NDArray[np.int64]:
        """Number of durations in each bin."""
        total = np.zeros(_ABOVE + 1, dtype=np.int64)
        for _, what in self.chunks():
            total += np.bincount(what, minlength=_ABOVE + 1)
        return total

    def histogram(self) -> Histogram:
        """Histogram of the durations, minimum and maximum at bucket ends; without sums."""
        bins = self.counts_by_bin()
        filled = np.flatnonzero(bins)
        ends = (
            [bin_high_ns(int(bin_number)) for bin_number in filled[[0, -1]]]
            if len(filled)
            else [0, 0]
        )
        return Histogram(
            counts=bins[1:-1].copy(),
            negative=int(bins[0]),
            overflow=int(bins[-1]),
            min_ns=ends[0],
            max_ns=ends[1],
        )

    def with_overflow(self, part: Series) -> Series:
        """A copy with the durations of a part of it moved above the layout; order is lost."""
        keys, moved = np.sort(self._keys()), np.sort(part._keys())
        equal = np.arange(len(moved)) - np.searchsorted(moved, moved)
        keys[np.searchsorted(keys, moved) + equal] |= np.uint64(_KEY_MAX)
        what = np.minimum(keys & np.uint64(_KEY_MAX), np.uint64(_ABOVE)).astype(np.uint16)
        return Series.from_chunks([((keys >> np.uint64(_KEY_BITS)).astype(np.uint32), what)])

    def within_layout(self) -> Series:
        """A copy without the durations above the layout."""
        return Series.from_chunks(
            (when[what < _ABOVE], what[what < _ABOVE]) for when, what in self.chunks()
        )

    def _keys(self) -> NDArray[np.uint64]:
        keys = [
            when.astype(np.uint64) << np.uint64(_KEY_BITS) | what for when, what in self.chunks()
        ]
        return np.concatenate([np.zeros(0, dtype=np.uint64), *keys])

    def span_ms(self) -> tuple[int, int]:
        """First and last intended time in ms after t0; of a series that is not empty."""
        blocks = self.chunks()
        return min(int(w.min()) for w, _ in blocks), max(int(w.max()) for w, _ in blocks)

    def batches(
        self, start_ms: int, width_ms: int, number: int, bin_number: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of durations in each of `number` intervals, and of those above a bin."""
        counts = np.zeros(number, dtype=np.int64)
        above = np.zeros(number, dtype=np.int64)
        for when, what in self.chunks():
            batch = (when - np.uint32(start_ms)) // np.uint32(width_ms)
            counts += np.bincount(batch, minlength=number)
            above += np.bincount(batch[what > bin_number], minlength=number)
        return counts, above

    def counts_by_interval(self, length_s: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Number of each interval with durations, and its durations by bucket.

        Durations outside the layout are not counted here, only in the whole histogram.
        """
        keys = np.empty(self._size, dtype=np.uint32)
        first = 0
        for when, what in self.chunks():
            part = keys[first : first + len(when)]
            # At most INTERVALS_MAX intervals and a few beyond the last: both halves fit.
            part[:] = np.minimum(when // np.uint32(1_000 * length_s), _KEY_MAX) << _KEY_BITS
            part |= what
            first += len(when)
        keys.sort()
        end = 0
        while end < len(keys):
            number = int(keys[end]) >> _KEY_BITS
            begin = end
            # The last key of this number; a larger type than the keys' would copy them all.
            last = np.uint32(number << _KEY_BITS | _KEY_MAX)
            end = int(np.searchsorted(keys, last, side="right"))
            bins = keys[begin:end] & np.uint32(_KEY_MAX)
            counts = np.bincount(bins, minlength=_ABOVE + 1)
            yield number, counts[1:_ABOVE]

    def _pack(self) -> None:
        if self._pending:
            when, what = zip(*self._pending, strict=True)
            self._blocks.append((np.concatenate(when), np.concatenate(what)))
            self._pending, self._pending_size = [], 0


def bin_below(limit_ns: int) -> int:
    """The last bin whose durations all lie below a limit."""
    if limit_ns >= LIMIT_NS:
        return _ABOVE - 1
    return int(bucket_index(np.array([limit_ns], dtype=np.int64))[0])


def bin_high_ns(bin_number: int) -> int:
    """The largest duration of a bin; -1 below zero, LIMIT_NS above the layout."""
    if bin_number == _BELOW:
        return -1
    return LIMIT_NS if bin_number == _ABOVE else bucket_high_ns(bin_number - 1)


def interval_length_s(duration_ns: int) -> int:
    """Length of an interval: at least 1 s, and long enough for INTERVALS_MAX intervals."""
    return max(1, -(-duration_ns // (INTERVALS_MAX * 1_000 * NS_PER_MS)))
