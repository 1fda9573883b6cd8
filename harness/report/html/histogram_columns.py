"""Latency over time in columns: the signals that were due in one stretch, by bucket.

A histogram holds a place for each of its buckets, 200 kB; a column only those that are filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import bucket_high_ns, bucket_index, bucket_low_ns, rank_of
from harness.analysis.histogram_encoding import HistogramInterval
from harness.formatting import format_number

COLUMNS_MAX = 600


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """The signals that were due in one stretch of time.

    Attributes:
        start_s, end_s: seconds after t0.
        buckets: numbers of the histogram's buckets that hold any, ascending.
        counts: how many each of them holds.
    """

    start_s: float
    end_s: float
    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many signals there are."""
        return int(self.counts.sum())

    @property
    def min_ns(self) -> int:
        """Lower end of the first bucket; 0 when empty."""
        return bucket_low_ns(int(self.buckets[0])) if len(self.buckets) else 0

    @property
    def max_ns(self) -> int:
        """Upper end of the last bucket; 0 when empty."""
        return bucket_high_ns(int(self.buckets[-1])) if len(self.buckets) else 0

    @property
    def when(self) -> str:
        """The stretch in words."""
        return f"{format_number(self.start_s)} to {format_number(self.end_s)} s"

    def percentile_ns(self, percentile: float) -> int | None:
        """Upper end of the percentile's bucket, 0 < percentile < 100; None when empty."""
        if not self.count:
            return None
        rank = rank_of(percentile, self.count)
        return bucket_high_ns(int(self.buckets[np.searchsorted(np.cumsum(self.counts), rank)]))

    def count_from(self, limit_ns: int) -> int:
        """How many signals lie in the limit's bucket or above."""
        first = int(bucket_index(np.array([limit_ns], dtype=np.int64))[0])
        return int(self.counts[self.buckets >= first].sum())


def columns_of(intervals: Iterable[HistogramInterval]) -> list[Column]:
    """One column for each stretch of time that has signals, whatever the phase; bounded."""
    by_start: dict[float, list[Column]] = {}
    for part in intervals:
        filled = np.flatnonzero(part.histogram.counts)
        if len(filled):
            end_s = part.start_s + part.length_s
            column = Column(part.start_s, end_s, filled, part.histogram.counts[filled])
            by_start.setdefault(part.start_s, []).append(column)
    columns = [merge_columns(by_start[start]) for start in sorted(by_start)]
    size = -(-len(columns) // COLUMNS_MAX) or 1
    return [merge_columns(columns[at : at + size]) for at in range(0, len(columns), size)]


def merge_columns(columns: Sequence[Column]) -> Column:
    """Some neighbours as one."""
    if len(columns) == 1:
        return columns[0]
    buckets, places = np.unique(
        np.concatenate([column.buckets for column in columns]), return_inverse=True
    )
    counts = np.zeros(len(buckets), dtype=np.int64)
    np.add.at(counts, places, np.concatenate([column.counts for column in columns]))
    return Column(columns[0].start_s, columns[-1].end_s, buckets, counts)


def group_columns(columns: Sequence[Column], enough: int) -> list[Column]:
    """Neighbours joined until each group has enough signals; too few at the end are left out."""
    groups: list[Column] = []
    waiting: list[Column] = []
    for column in columns:
        waiting.append(column)
        if sum(one.count for one in waiting) >= enough:
            groups.append(merge_columns(waiting))
            waiting = []
    return groups
