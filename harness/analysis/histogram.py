"""Histograms in HdrHistogram's bucket layout, filled by numpy and exact in everything they count.

Layout (HdrHistogram, lowest trackable value 1000, 3 significant digits, values in ns): the unit is
2^9 ns, the largest power of two not above 1000; each power of two above 2^20 ns has 1024 buckets,
so that a bucket is never wider than 1/1024 of its values, nor than 512 ns. It holds values up to
2^42 - 1 ns (73 min), the first power of two above one hour. Values outside are neither clamped nor
dropped: they are counted separately, keep their rank at either end, and are in sum, minimum and
maximum, which are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.int64]

LOWEST_NS: Final = 1_000
HIGHEST_NS: Final = 3_600_000_000_000
DIGITS: Final = 3

_UNIT_BITS = 9
_HALF_BITS = 10
_HALF = 1 << _HALF_BITS
_FLOOR_BITS = _UNIT_BITS + _HALF_BITS + 1  # below 2^20 ns all buckets are one unit wide
_MASK = ((1 << (_HALF_BITS + 1)) - 1) << _UNIT_BITS
LIMIT_NS: Final = 1 << 42
BUCKETS: Final = (HIGHEST_NS.bit_length() - _FLOOR_BITS + 2) * _HALF


def bucket_index(values: Values) -> Values:
    """Index of the bucket of each value; only for 0 <= value < LIMIT_NS."""
    bits = np.frexp((values | _MASK).astype(np.float64))[1].astype(np.int64)
    index: Values = ((bits - _FLOOR_BITS) << _HALF_BITS) + (values >> (bits - (_HALF_BITS + 1)))
    return index


def bucket_low_ns(index: int) -> int:
    """Smallest value of a bucket."""
    power = max(0, (index >> _HALF_BITS) - 1)
    return (index - (power << _HALF_BITS)) << (power + _UNIT_BITS)


def bucket_high_ns(index: int) -> int:
    """Largest value of a bucket: HdrHistogram's highest equivalent value."""
    power = max(0, (index >> _HALF_BITS) - 1)
    return bucket_low_ns(index) + (1 << (power + _UNIT_BITS)) - 1


def bucket_middles_ns() -> Values:
    """The middle of every bucket, rounded down."""
    index = np.arange(BUCKETS, dtype=np.int64)
    power = np.maximum(0, (index >> _HALF_BITS) - 1)
    unit = np.int64(1) << (power + _UNIT_BITS)
    middles: Values = (index - (power << _HALF_BITS)) * unit + unit // 2
    return middles


def rank_of(percentile: float, count: int) -> int:
    """The rank of a percentile: the least r >= 1 with r / count >= percentile / 100.

    Exact: with floats the rank of 99.9 % may be one too high.
    """
    share = Fraction(str(percentile)) / 100
    return max(1, -(-share.numerator * count // share.denominator))


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of durations by bucket; made by `HistogramBuilder`, by merging or by decoding.

    Attributes:
        counts: int64, one for each bucket; read-only.
        negative: durations below zero.
        overflow: durations of LIMIT_NS and more.
        sum_ns: of all durations, those outside included.
        min_ns: smallest duration; 0 when there is none.
        max_ns: largest duration; 0 when there is none.
    """

    counts: Values
    negative: int = 0
    overflow: int = 0
    sum_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0

    def __post_init__(self) -> None:
        self.counts.flags.writeable = False

    @classmethod
    def of(cls, values: Any) -> Histogram:
        """The histogram of an array of ns."""
        builder = HistogramBuilder()
        builder.record(np.asarray(values, dtype=np.int64))
        return builder.histogram()

    @cached_property
    def inside(self) -> int:
        """Number of durations within the layout."""
        return int(self.counts.sum())

    @property
    def count(self) -> int:
        """Number of all durations, those outside the layout included."""
        return self.inside + self.negative + self.overflow

    @property
    def mean_ns(self) -> float | None:
        """Exact mean; None when empty."""
        count = self.count
        return self.sum_ns / count if count else None

    def rank_of(self, percentile: float) -> int:
        """`rank_of` for its number of durations."""
        return rank_of(percentile, self.count)

    def value_at_rank(self, rank: int) -> int | None:
        """An upper bound of the rank-th smallest duration, less than 0.1 % or 512 ns above it.

        It is the largest value of that duration's bucket, but never more than the maximum. Below
        zero it is -1, above the layout the maximum. None when there is no such rank.
        """
        return self._value_at_rank(rank, np.cumsum(self.counts))

    def _value_at_rank(self, rank: int, sums: Values) -> int | None:
        if not 1 <= rank <= self.count:
            return None
        if rank <= self.negative:
            return min(-1, self.max_ns)
        inside = rank - self.negative
        if inside > int(sums[-1]):
            return self.max_ns
        return min(bucket_high_ns(int(np.searchsorted(sums, inside))), self.max_ns)

    def percentile_ns(self, percentile: float) -> int | None:
        """Value at a percentile, 0 < percentile <= 100; the exact maximum at 100."""
        return self.value_at_rank(self.rank_of(percentile))

    def percentiles_ns(self, percentiles: Iterable[float]) -> dict[float, int]:
        """The value at each percentile; none when empty. The counts are added up once for all."""
        sums = np.cumsum(self.counts)
        ranks = {percentile: self.rank_of(percentile) for percentile in percentiles}
        values = {which: self._value_at_rank(rank, sums) for which, rank in ranks.items()}
        return {which: value for which, value in values.items() if value is not None}

    def count_below(self, limit_ns: int) -> int:
        """Number of durations in buckets wholly below a limit, those below zero included."""
        if limit_ns <= 0:
            return 0
        if limit_ns >= LIMIT_NS:
            return self.inside + self.negative
        first = int(bucket_index(np.array([limit_ns], dtype=np.int64))[0])
        return int(self.counts[:first].sum()) + self.negative

    def __add__(self, other: Histogram) -> Histogram:
        """Merge both, without loss."""
        not_empty = [part for part in (self, other) if part.count]
        return Histogram(
            counts=self.counts + other.counts,
            negative=self.negative + other.negative,
            overflow=self.overflow + other.overflow,
            sum_ns=self.sum_ns + other.sum_ns,
            min_ns=min((part.min_ns for part in not_empty), default=0),
            max_ns=max((part.max_ns for part in not_empty), default=0),
        )

    def without(self, part: Histogram) -> Histogram:
        """Subtract a part; minimum and maximum of the result are as exact as its buckets."""
        counts = self.counts - part.counts
        if counts.min() < 0 or part.negative > self.negative or part.overflow > self.overflow:
            raise ValueError("a histogram can only be subtracted from one that contains it")
        negative, overflow = self.negative - part.negative, self.overflow - part.overflow
        not_empty = np.flatnonzero(counts)
        low_ns, high_ns = self.min_ns, self.max_ns
        if len(not_empty) and not negative:
            low_ns = max(low_ns, bucket_low_ns(int(not_empty[0])))
        if len(not_empty) and not overflow:
            high_ns = min(high_ns, bucket_high_ns(int(not_empty[-1])))
        return Histogram(
            counts=counts,
            negative=negative,
            overflow=overflow,
            sum_ns=self.sum_ns - part.sum_ns,
            min_ns=low_ns,
            max_ns=high_ns,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self._figures() == other._figures() and bool(
            np.array_equal(self.counts, other.counts)
        )

    def __hash__(self) -> int:
        return hash(self._figures())

    def _figures(self) -> tuple[int, ...]:
        return self.negative, self.overflow, self.sum_ns, self.min_ns, self.max_ns


def empty_histogram() -> Histogram:
    """A histogram without values."""
    return Histogram(np.zeros(BUCKETS, dtype=np.int64))


class HistogramBuilder:
    """Accumulates a histogram."""

    def __init__(self) -> None:
        self._counts = np.zeros(BUCKETS, dtype=np.int64)
        self._negative = 0
        self._overflow = 0
        self._sum_ns = 0
        self._min_ns: int | None = None
        self._max_ns: int | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> HistogramBuilder:
        """A builder that starts with a histogram's values."""
        builder = cls()
        builder._counts += histogram.counts
        builder._negative, builder._overflow = histogram.negative, histogram.overflow
        builder._sum_ns = histogram.sum_ns
        if histogram.count:
            builder._min_ns, builder._max_ns = histogram.min_ns, histogram.max_ns
        return builder

    def record(self, values: Values) -> None:
        """Add durations."""
        if len(values) == 0:
            return
        low, high = int(values.min()), int(values.max())
        self._min_ns = low if self._min_ns is None else min(self._min_ns, low)
        self._max_ns = high if self._max_ns is None else max(self._max_ns, high)
        if low < 0 or high >= LIMIT_NS:
            self._sum_ns += sum(values.tolist())
            below, above = values < 0, values >= LIMIT_NS
            self._negative += int(below.sum())
            self._overflow += int(above.sum())
            values = values[~(below | above)]
        else:
            self._sum_ns += int(values.sum())  # 2^42 times 2^20 values would still fit
        if len(values):
            found = np.bincount(bucket_index(values))
            self._counts[: len(found)] += found

    def histogram(self) -> Histogram:
        """The histogram of all durations so far."""
        return Histogram(
            counts=self._counts.copy(),
            negative=self._negative,
            overflow=self._overflow,
            sum_ns=self._sum_ns,
            min_ns=self._min_ns or 0,
            max_ns=self._max_ns or 0,
        )
