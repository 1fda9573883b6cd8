"""Figures of one stretch of time, for a chart of the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import bucket_high_ns
from harness.analysis.statistics import size_needed


@dataclass(frozen=True, slots=True)
class IntervalSummary:
    """The durations of one stretch of time; a percentile is None where they are too few for it.

    Attributes:
        start_s: seconds after t0, by intended time.
    """

    start_s: float
    length_s: float
    count: int
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int


def summarize(number: int, length_s: int, counts: NDArray[np.int64]) -> IntervalSummary:
    """Figures of one stretch; values are upper ends of buckets."""
    sums = np.cumsum(counts)
    total = int(sums[-1])

    def at(rank: int) -> int:
        return bucket_high_ns(int(np.searchsorted(sums, max(1, rank)))) if total else 0

    def percentile(rank: int) -> int | None:
        return at(-(-rank * total // 100)) if total >= size_needed(rank) else None

    return IntervalSummary(
        start_s=float(number * length_s),
        length_s=float(length_s),
        count=total,
        p50_ns=percentile(50),
        p99_ns=percentile(99),
        max_ns=at(total),
    )
