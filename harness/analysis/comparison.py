"""Whether one group of runs is slower than another, by one figure of each run.

The unit is the run: signals of one run depend on each other, and runs of one system differ by more
than their own intervals explain. The change is the ratio of the figure, new over base.

Its estimate is that of Hodges and Lehmann, the median of all differences of logarithms between a
new run and a base run; its interval has the exact confidence of Wilcoxon's rank-sum statistic
(Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, sections 4.1 to 4.3). No form of
distribution is assumed, so that one slow run of five does not decide, and an alarm without a change
has at most the stated probability. `python -m tests.studies.compare` compares it with Welch's t.

A figure may be a lower bound: the true one is unknown and larger (censored). A difference is then
an interval, and each bound of the ratio is the least favourable one: it holds whatever the true
figures are (partial identification; Manski, Partial Identification of Probability Distributions,
chapter 1). So no such run is left out, and a censored new run can still show that NEW is slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.errors import Exit

# Two-sided, so that an alarm in either direction has 2.5 % at most.
CONFIDENCE = 0.95
# With 3 + 3 runs even the most extreme order has a probability of 5 % on each side.
RUNS_MIN = 4
# More runs than anyone makes.
RUNS_MAX = 1_000
# A smaller change does not matter.
MARGIN = 0.10
# Above so many differences the normal approximation of the rank-sum statistic suffices.
_EXACT_PAIRS_MAX = 2_500
# Two-sided 5 % point of the standard normal distribution.
_Z = 1.959964
_ROUNDING = 1e-9

Floats = NDArray[np.float64]


class ComparisonVerdict(StrEnum):
    """What a comparison says of NEW against BASE.

    INVALID: a side has no valid run.
    """

    SLOWER = "SLOWER"
    FASTER = "FASTER"
    SAME = "SAME"
    CANNOT_TELL = "CANNOT_TELL"
    INVALID = "INVALID"

    @property
    def exit_code(self) -> Exit:
        """The exit code of a command that ends with this verdict."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    ComparisonVerdict.SLOWER: Exit.FAIL,
    ComparisonVerdict.FASTER: Exit.PASS,
    ComparisonVerdict.SAME: Exit.PASS,
    ComparisonVerdict.CANNOT_TELL: Exit.INCONCLUSIVE,
    ComparisonVerdict.INVALID: Exit.INVALID,
}


@dataclass(frozen=True, slots=True)
class RunValue:
    """A figure of one run.

    Attributes:
        value: above zero.
        is_lower_bound: whether the true figure is unknown, and this or more.
    """

    value: float
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """The ratio of a figure, new over base.

    Attributes:
        estimate_least, estimate_most: the estimate lies between them; both are equal where every
            figure is known exactly. None is unbounded.
        lower, upper: bounds of the ratio, together with the confidence; None is unbounded, which
            they also are for too few runs.
    """

    estimate_least: float | None
    estimate_most: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class MeanRatio:
    """The ratio of the geometric means of two groups.

    Attributes:
        lower, upper: two-sided 95 % interval.
        p_value: of no change, two-sided.
    """

    ratio: float
    lower: float
    upper: float
    p_value: float


def ratio_interval(base: Sequence[RunValue], new: Sequence[RunValue]) -> RatioInterval:
    """The ratio of two groups of at least one run each."""
    base_least, base_most = _bounds(base)
    new_least, new_most = _bounds(new)
    least = np.sort((new_least[None, :] - base_most[:, None]).ravel())
    most = np.sort((new_most[None, :] - base_least[:, None]).ravel())
    outside = _differences_outside(*sorted((len(base), len(new))))
    return RatioInterval(
        estimate_least=_ratio(float(np.median(least))),
        estimate_most=_ratio(float(np.median(most))),
        lower=_ratio(float(least[outside - 1])) if outside else None,
        upper=_ratio(float(most[len(most) - outside])) if outside else None,
    )


def decide_change(interval: RatioInterval, margin: float = MARGIN) -> ComparisonVerdict:
    """The verdict on a ratio.

    SAME where the whole interval lies within the margin: from 1 / (1 + margin) to 1 + margin.
    SLOWER where the interval lies above 1 and the estimate above 1 + margin; FASTER likewise
    below. Else CANNOT_TELL.

    Args:
        interval: of the ratio.
        margin: a change that does not matter, as a share; above zero.
    """
    top = 1 + margin
    lower = 0.0 if interval.lower is None else interval.lower
    upper = math.inf if interval.upper is None else interval.upper
    least, most = interval.estimate_least or 0.0, interval.estimate_most or math.inf
    if 1 / top <= lower and upper <= top:
        return ComparisonVerdict.SAME
    if lower > 1 and least > top:
        return ComparisonVerdict.SLOWER
    if upper < 1 and most < 1 / top:
        return ComparisonVerdict.FASTER
    return ComparisonVerdict.CANNOT_TELL


def runs_needed(
    interval: RatioInterval, base_runs: int, new_runs: int, margin: float = MARGIN
) -> int | None:
    """Number of runs of each side, like these, that would give a verdict other than CANNOT_TELL.

    The interval shrinks with the root of the number of runs. An estimate beyond the margin needs an
    interval without 1, one within the margin an interval within it. None where no number follows:
    an unbounded interval, an estimate at the margin, or more than RUNS_MAX.
    """
    found = (interval.estimate_least, interval.estimate_most, interval.lower, interval.upper)
    least, most, lower, upper = (None if one is None else math.log(one) for one in found)
    if least is None or lower is None or upper is None or least != most:
        return None
    top = math.log1p(margin)
    if abs(abs(least) - top) < _ROUNDING:
        return None
    if abs(least) > top:
        share = (least - lower if least > 0 else upper - least) / abs(least)
    else:
        share = max((upper - least) / (top - least), (least - lower) / (top + least))
    runs = share * share * 2 * base_runs * new_runs / (base_runs + new_runs) - _ROUNDING
    if runs > RUNS_MAX:
        return None
    return max(RUNS_MIN, min(base_runs, new_runs) + 1, math.ceil(runs))


def mean_ratio(base: Sequence[float], new: Sequence[float]) -> MeanRatio:
    """The ratio of geometric means, by Welch's t on logarithms (Biometrika 34, 1947).

    Args:
        base: at least two values above zero.
        new: the same.
    """
    one, other = np.log(np.asarray(base)), np.log(np.asarray(new))
    difference = float(other.mean() - one.mean())
    parts = [float(values.var(ddof=1)) / len(values) for values in (one, other)]
    error = math.sqrt(sum(parts))
    if error <= _ROUNDING:
        p_value = 1.0 if abs(difference) <= _ROUNDING else 0.0
        return MeanRatio(math.exp(difference), math.exp(difference), math.exp(difference), p_value)
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (one, other), strict=True)
    )
    half = float(stdtrit(degrees, (1 + CONFIDENCE) / 2)) * error
    return MeanRatio(
        ratio=math.exp(difference),
        lower=math.exp(difference - half),
        upper=math.exp(difference + half),
        p_value=2 * float(stdtr(degrees, -abs(difference) / error)),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each p-value adjusted for all of them (Holm, Scandinavian Journal of Statistics 6, 1979).

    Those at or below 5 % are significant together: the probability of one or more by chance is 5 %
    at most, however the figures depend on each other.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return tuple(adjusted)


def median_value(values: Sequence[RunValue]) -> RunValue:
    """The median of at least one figure; a lower bound where a larger figure could change it."""
    least, most = (np.exp(one) for one in _bounds(values))
    low, high = float(np.median(least)), float(np.median(most))
    return RunValue(low, is_lower_bound=not math.isclose(low, high, rel_tol=1e-9))


def _bounds(values: Sequence[RunValue]) -> tuple[Floats, Floats]:
    """Logarithms: the least that each figure can be, and the most."""
    least: Floats = np.log(np.array([one.value for one in values], dtype=np.float64))
    most: Floats = np.where([one.is_lower_bound for one in values], np.inf, least)
    return least, most


def _ratio(logarithm: float) -> float | None:
    return math.exp(logarithm) if math.isfinite(logarithm) else None


@lru_cache(maxsize=64)
def _differences_outside(fewer: int, more: int) -> int:
    """How many of the sorted differences lie outside of each bound, the bound's own included.

    The largest k with P(U < k) <= 2.5 % for the rank-sum statistic U of Mann and Whitney; 0 where
    even k = 1 is more.
    """
    pairs, tail = fewer * more, (1 - CONFIDENCE) / 2
    if pairs > _EXACT_PAIRS_MAX:
        rank = pairs / 2 - _Z * math.sqrt(pairs * (fewer + more + 1) / 12)
        return max(0, math.floor(rank))
    below = np.cumsum(_rank_sum_probabilities(fewer, more))
    return int(np.searchsorted(below, tail + _ROUNDING, side="right"))


def _rank_sum_probabilities(first: int, second: int) -> Floats:
    """P(U = u) for the lower half of the values of U.

    The largest of all values belongs to the first sample with probability m / (m + n), and is then
    above all n of the second (Mann and Whitney, Annals of Mathematical Statistics 18, 1947).
    """
    size = first * second // 2 + 1
    certain: Floats = np.zeros(size)
    certain[0] = 1.0
    row = [certain] * (second + 1)
    for m in range(1, first + 1):
        current = [certain]
        for n in range(1, second + 1):
            above: Floats = np.zeros(size)
            above[n:] = row[n][: max(0, size - n)]
            current.append((m * above + n * current[n - 1]) / (m + n))
        row = current
    return row[second]
