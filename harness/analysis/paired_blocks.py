"""Paired blocks of load with and without a treatment, and the effect of the treatment.

The two blocks of a pair follow each other, in an order drawn from the seed, so that a drift over
the run (caches, disks, other work on the host) affects both alike. The first part of each block is
not counted, because the effects of a treatment outlast it.

The effect is estimated from the difference of the two P99s of each pair: the Hodges-Lehmann
estimate, the median of all pairwise means of the differences, with the interval of Wilcoxon's
signed-rank statistic, exact and without the assumption of a normal distribution (Hollander, Wolfe
and Chicken, Nonparametric Statistical Methods, sections 3.2-3.3).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import rank_of
from harness.analysis.series import BIN_COUNT, Series, bin_high_ns
from harness.analysis.statistics import CONFIDENCE
from harness.clock import NS_PER_MS

# Fewer pairs have no one-sided bound at 95 %: 2^-5 is the first power of 1/2 below 0.05.
PAIRS_MIN = 5
PAIRS_MAX = 200


@dataclass(frozen=True, slots=True)
class TrialBlock:
    """One block of load.

    Attributes:
        pair: number of its pair, from 0.
        disturbed: whether the treatment is on.
        start_ns, end_ns: after t0; the next block starts at the end.
        counted_ns, counted_end_ns: start and end of its counted part.
    """

    pair: int
    disturbed: bool
    start_ns: int
    end_ns: int
    counted_ns: int
    counted_end_ns: int


@dataclass(frozen=True, slots=True)
class TreatmentEffect:
    """Change of the P99 under the treatment.

    Attributes:
        pairs: number of differences.
        estimate_ns: Hodges-Lehmann.
        lower_ns, upper_ns: one-sided bounds, 95 % each; None for too few pairs.
    """

    pairs: int
    estimate_ns: float
    lower_ns: float | None
    upper_ns: float | None


def plan_blocks(
    pairs: int, block_ns: int, settle_ns: int, release_ns: int, seed: int, start_ns: int
) -> tuple[TrialBlock, ...]:
    """The blocks in the order of time; a pure function of its arguments.

    Args:
        pairs: number of pairs.
        block_ns: length of each block.
        settle_ns: length of its start that is not counted.
        release_ns: length of its end that is not counted, in which the treatment is removed.
        seed: of the order within each pair.
        start_ns: start of the first, after t0.
    """
    rng = random.Random(f"{seed}/blocks")  # noqa: S311 - to be repeatable, not secret
    blocks: list[TrialBlock] = []
    for pair in range(pairs):
        treatment_first = rng.random() < 0.5
        for disturbed in (treatment_first, not treatment_first):
            begin_ns = start_ns + len(blocks) * block_ns
            end_ns = begin_ns + block_ns
            blocks.append(
                TrialBlock(
                    pair, disturbed, begin_ns, end_ns, begin_ns + settle_ns, end_ns - release_ns
                )
            )
    return tuple(blocks)


def estimate_effect(differences_ns: Sequence[int]) -> TreatmentEffect:
    """The effect by the differences of at least one pair."""
    count = len(differences_ns)
    walsh = _walsh(np.array(sorted(differences_ns), dtype=np.float64))
    estimate_ns = float(np.median(walsh))
    rank = _rank(count)
    if rank is None:
        return TreatmentEffect(count, estimate_ns, None, None)
    return TreatmentEffect(
        count, estimate_ns, float(walsh[rank]), float(walsh[len(walsh) - 1 - rank])
    )


def pairs_needed(differences_ns: Sequence[int], limit_ns: int) -> int | None:
    """Number of pairs like these whose interval would exclude a limit.

    The interval shrinks with the root of the number of pairs. None if more than PAIRS_MAX are
    needed, or if the differences are too few for an interval.
    """
    change = estimate_effect(differences_ns)
    if change.lower_ns is None or change.upper_ns is None:
        return PAIRS_MIN if len(differences_ns) < PAIRS_MIN else None
    distance_ns = abs(change.estimate_ns - limit_ns)
    half_ns = max(change.upper_ns - change.estimate_ns, change.estimate_ns - change.lower_ns)
    if distance_ns == 0:
        return None
    needed = int(np.ceil(change.pairs * (half_ns / distance_ns) ** 2))
    return max(change.pairs + 1, needed) if needed <= PAIRS_MAX else None


def block_percentile(series: Series, blocks: Sequence[TrialBlock], percentile: float) -> int | None:
    """A percentile of the signals intended in the counted parts of blocks; None without signals.

    It is the upper end of its bucket in ns; -1 and `LIMIT_NS` stand for values outside the
    histogram.
    """
    counts = _places(series, blocks)
    total = int(counts.sum())
    if total == 0:
        return None
    return bin_high_ns(int(np.searchsorted(np.cumsum(counts), rank_of(percentile, total))))


def block_signal_count(series: Series, blocks: Sequence[TrialBlock]) -> int:
    """Number of signals intended in the counted parts of blocks."""
    return int(_places(series, blocks).sum())


def _places(series: Series, blocks: Sequence[TrialBlock]) -> NDArray[np.int64]:
    total = np.zeros(BIN_COUNT, dtype=np.int64)
    for when, what in series.chunks():
        for block in blocks:
            start, end = block.counted_ns // NS_PER_MS, block.counted_end_ns // NS_PER_MS
            counted = what[(when >= start) & (when < end)]
            total += np.bincount(counted, minlength=BIN_COUNT)
    return total


def _walsh(values: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


def _rank(count: int) -> int | None:
    """The Walsh average, from either end, that bounds the median of the differences at 95 %.

    With the largest k such that P(T <= k) <= 0.05 for the signed-rank statistic T, the average of
    rank k + 1 is a lower bound; here ranks begin at 0. None where even P(T = 0) is more.
    """
    ways = _ways(count)
    below = np.cumsum(ways) / float(2**count)
    fitting = np.flatnonzero(below <= 1 - CONFIDENCE + 1e-12)
    return int(fitting[-1]) if len(fitting) else None


def _ways(count: int) -> NDArray[np.float64]:
    """For how many of the 2^n signs the positive ranks sum to 0, 1, 2, ...; computed rank by rank.

    In floating-point numbers, since 2^n exceeds integers of 64 bits; exact up to n = 53, and to
    16 digits above.
    """
    ways = np.zeros(count * (count + 1) // 2 + 1, dtype=np.float64)
    ways[0] = 1
    for rank in range(1, count + 1):
        shifted = np.zeros_like(ways)
        shifted[rank:] = ways[:-rank]
        ways = ways + shifted
    return ways
