"""Change points of a series of runs: from which run on its level differs.

Candidates: the ranks of the values are cut into segments of at least `SIDE_MIN` runs so that the
sum of squares within the segments, with a penalty for each cut, is least (optimal partitioning;
Jackson et al., IEEE Signal Processing Letters 12, 2005). Each segment is ranked and cut again on
its own. A rank is bounded, so one outlier moves no cut (Lung-Yut-Fong, Lévy-Leduc and Cappé,
Journal de la SFdS 156, 2015).

Confirmation: an exact rank-sum test of the runs on both sides (Mann and Whitney, Annals of
Mathematical Statistics 18, 1947) at `FALSE_ALARM` over the number of runs: by the union bound a
series without a change is split at any given pair of segments no more often than that. Ties count
against a change. `python -m tests.studies.history` measures false alarms and power.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, rankdata

# Runs on each side of a change that are nearer to the level of their own side: a week of nightly
# runs. A shorter disturbance, such as a host that is busy over a long weekend, is no change.
SIDE_MIN = 5
# More runs than these on a side change little, and the level may drift over months.
SIDE_MAX = 50
# For a whole series.
FALSE_ALARM = 0.01
# The least number of runs of which the test can confirm a change, 7 on each side:
# 2 / C(14, 7) = 0.0006 is less than FALSE_ALARM / 14, and 2 / C(12, 6) more than FALSE_ALARM / 12.
RUNS_MIN = 14
# Of the median. Less is no change that anyone would act on.
RELATIVE_MIN = 0.05
# In units of the variance of the ranks. It only has to propose every cut that the test can confirm;
# the smallest of these, 5 runs of 16, reduces the sum of squares by 10.3.
_PENALTY = 8.0


@dataclass(frozen=True, slots=True)
class Level:
    """What one run says of the level, in the unit of the series.

    Attributes:
        at_least: the estimate; the lower bound where there is no upper one (the run is censored).
        at_most: the estimate, also of a censored run; infinite where there is none.
    """

    at_least: float
    at_most: float


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change of the level.

    Attributes:
        index: of the first run of the new level.
        before, after: medians of `Level.at_least` over at most `SIDE_MAX` runs on each side.
        p_value: of the rank-sum test, two-sided.
    """

    index: int
    before: float
    after: float
    p_value: float

    @property
    def is_up(self) -> bool:
        """Whether the level rose."""
        return self.after > self.before

    @property
    def ratio(self) -> float:
        """The new level over the old one; infinite from zero on."""
        return self.after / self.before if self.before else math.inf


def find_changes(levels: Sequence[Level], absolute_min: float = 0.0) -> tuple[ChangePoint, ...]:
    """The changes of a series, in order; none of fewer than `RUNS_MIN` runs.

    Args:
        levels: of the runs, in order of time.
        absolute_min: least change of the median, in the unit of the series, besides RELATIVE_MIN.
    """
    if len(levels) < RUNS_MIN:
        return ()
    cuts = sorted(_candidates([one.at_least for one in levels]))
    while cuts:
        edges = [0, *cuts, len(levels)]
        sides = [
            (levels[max(a, b - SIDE_MAX) : b], levels[b : min(c, b + SIDE_MAX)])
            for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        found = [_compare(*pair, cut) for pair, cut in zip(sides, cuts, strict=True)]
        refuted = [
            one
            for one, pair in zip(found, sides, strict=True)
            if one.p_value >= FALSE_ALARM / len(levels)
            or not _is_large(one, absolute_min)
            or not _is_lasting(one, *pair)
        ]
        if not refuted:
            return tuple(found)
        # Its neighbours are compared again, with the runs that it kept apart.
        cuts.remove(max(refuted, key=lambda one: one.p_value).index)
    return ()


def _candidates(values: Sequence[float], start: int = 0) -> Iterator[int]:
    if len(values) < 2 * SIDE_MIN:
        return
    ranks = rankdata(values)
    spread = float(np.std(ranks))
    if not spread:
        return
    cuts = _cut((ranks - ranks.mean()) / spread)
    yield from (start + cut for cut in cuts)
    for low, high in pairwise([0, *cuts, len(values)] if cuts else []):
        yield from _candidates(values[low:high], start + low)


def _cut(values: NDArray[np.float64]) -> list[int]:
    """Where the segments begin, without the first, whose squares and penalties are least."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    count = len(values)
    # Of the values before each index: the least cost, and where its last segment begins.
    cost, begin = np.full(count + 1, np.inf), np.zeros(count + 1, dtype=np.int64)
    cost[0] = 0.0
    for end in range(SIDE_MIN, count + 1):
        starts = np.arange(end - SIDE_MIN + 1)
        # The sum of all squares is the same for every partition, and is left out.
        gains = (sums[end] - sums[starts]) ** 2 / (end - starts)
        costs = cost[starts] - gains + _PENALTY
        begin[end] = int(np.argmin(costs))
        cost[end] = costs[begin[end]]
    cuts = []
    end = int(begin[count])
    while end:
        cuts.append(end)
        end = int(begin[end])
    return cuts[::-1]


def _compare(before: Sequence[Level], after: Sequence[Level], index: int) -> ChangePoint:
    old, new = (median(one.at_least for one in side) for side in (before, after))
    low, high = (before, after) if new > old else (after, before)
    return ChangePoint(index, old, new, _p_value(low, high))


def _p_value(low: Sequence[Level], high: Sequence[Level]) -> float:
    """Two-sided p-value of "low is below high".

    Each side counts with what speaks against that: `low` with its estimates, `high` with its lower
    bounds where it is censored. So neither a run without an upper bound nor the end of such runs
    makes a change by itself.
    """
    values = [(one.at_least, 0) for one in high] + [(one.at_most, 1) for one in low]
    ordered = sorted(values)  # of equal values, those of `high` come first: ties count against
    ranks = {side: [n for n, one in enumerate(ordered) if one[1] == side] for side in (0, 1)}
    found = mannwhitneyu(ranks[0], ranks[1], alternative="greater", method="exact")
    return min(1.0, 2 * float(found.pvalue))


def _is_large(one: ChangePoint, absolute_min: float) -> bool:
    size = abs(one.after - one.before)
    return size >= max(absolute_min, RELATIVE_MIN * min(abs(one.before), abs(one.after)))


def _is_lasting(one: ChangePoint, before: Sequence[Level], after: Sequence[Level]) -> bool:
    """Whether enough runs on each side are nearer to its own median than to the other one.

    So four slow nights, with the next best one beside them, are no change.
    """
    middle = (one.before + one.after) / 2
    kept = sum((run.at_least > middle) != one.is_up for run in before)
    moved = sum((run.at_least > middle) == one.is_up for run in after)
    return min(kept, moved) >= SIDE_MIN
