"""A percentile over several runs of one scenario, and the spread between the runs.

The estimates of the runs are independent replications. Their logarithms are assumed normal, since
latencies are positive and skewed, and Student's t gives the interval of their mean: mean -+
t(0.95, n - 1) * s / sqrt(n), each bound at 95 % (Law and Kelton, Simulation Modeling and Analysis,
section 9.4.1). Back from the logarithms it bounds the percentile of a typical run, its geometric
mean. Two runs give a spread without an interval; an interval needs three.

Whether runs differ more than their own intervals explain: with independent runs of one system,
(n - 1) s^2 / w^2 is chi-square with n - 1 degrees, where w is the standard deviation of one run's
estimate by its own interval: the width over twice the normal 95 % point, in logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtri, stdtrit

from harness.analysis.statistics import CONFIDENCE

RUNS_MIN = 3
RUNS_MAX = 1_000
# One-sided 5 % point of the standard normal distribution.
_Z = 1.6449
# Quantile of a two-sided interval at 95 %.
_TWO_SIDED = 0.975


@dataclass(frozen=True, slots=True)
class Spread:
    """Estimates of several runs.

    Attributes:
        variation: standard deviation over mean.
        lower_ns: the percentile of a typical run is at or above; None for fewer than three runs.
        upper_ns: it is at or below.
    """

    runs: int
    mean_ns: float
    sd_ns: float
    min_ns: int
    max_ns: int
    variation: float
    lower_ns: float | None
    upper_ns: float | None


def spread_of(estimates_ns: Sequence[int]) -> Spread:
    """The spread of at least two estimates."""
    count = len(estimates_ns)
    mean, sd = _mean_sd([float(value) for value in estimates_ns])
    lower = upper = None
    if count >= RUNS_MIN:
        middle, log_sd = _mean_sd(_logs(estimates_ns))
        half = _half_width(count, log_sd)
        lower, upper = math.exp(middle - half), math.exp(middle + half)
    return Spread(
        runs=count,
        mean_ns=mean,
        sd_ns=sd,
        min_ns=min(estimates_ns),
        max_ns=max(estimates_ns),
        variation=sd / mean if mean > 0 else 0.0,
        lower_ns=lower,
        upper_ns=upper,
    )


def runs_needed(estimates_ns: Sequence[int], limit_ns: int) -> int | None:
    """Number of runs whose interval would exclude the limit; None if above RUNS_MAX."""
    middle, sd = _mean_sd(_logs(estimates_ns))
    distance = abs(middle - math.log(max(1, limit_ns)))
    enough = (
        count
        for count in range(max(RUNS_MIN, len(estimates_ns) + 1), RUNS_MAX + 1)
        if _half_width(count, sd) < distance
    )
    return next(enough, None)


def excess_of(
    estimates_ns: Sequence[int], bounds_ns: Sequence[tuple[int | None, int | None]]
) -> tuple[float, float] | None:
    """Relative deviation between and within runs, if the former is significantly larger.

    Returns:
        Both, as shares of the value; None where the runs do not differ significantly, where a run
        has no interval, or with fewer than three runs.
    """
    count = len(estimates_ns)
    if count < RUNS_MIN:
        return None
    widths = []
    for lower, upper in bounds_ns:
        if lower is None or upper is None:
            return None
        widths.append((math.log(max(1, upper)) - math.log(max(1, lower))) / (2 * _Z))
    within = math.sqrt(sum(width**2 for width in widths) / count)
    _, between = _mean_sd(_logs(estimates_ns))
    limit = float(chdtri(count - 1, 1 - CONFIDENCE))
    return (between, within) if (count - 1) * between**2 > limit * within**2 else None


def prediction_interval(estimates_ns: Sequence[int]) -> tuple[int, int] | None:
    """Where the estimate of one more run of the same system lies with a probability of 95 %.

    In logarithms mean -+ t(0.975, n - 1) * s * sqrt(1 + 1 / n) (Meeker, Hahn and Escobar,
    Statistical Intervals, chapter 4: one further observation of a normal distribution).

    Returns:
        Both ends in whole ns, rounded outwards; None for fewer than three runs.
    """
    count = len(estimates_ns)
    if count < RUNS_MIN:
        return None
    middle, sd = _mean_sd(_logs(estimates_ns))
    half = float(stdtrit(count - 1, _TWO_SIDED)) * sd * math.sqrt(1 + 1 / count)
    return math.floor(math.exp(middle - half)), math.ceil(math.exp(middle + half))


def _half_width(count: int, sd: float) -> float:
    return float(stdtrit(count - 1, CONFIDENCE)) * sd / math.sqrt(count)


def _logs(values_ns: Sequence[int]) -> list[float]:
    return [math.log(max(1, value)) for value in values_ns]


def _mean_sd(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
