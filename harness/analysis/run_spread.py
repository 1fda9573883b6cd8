"""What several runs of one question say together of a percentile.

The estimates of the runs are independent replications. Their logarithms are taken as normal, since
latencies are positive and skewed, and Student's t gives the interval of their mean: mean -+
t(0.95, n - 1) * s / sqrt(n), each bound at 95 % (Law and Kelton, Simulation Modeling and Analysis,
section 9.4.1). Back from the logarithms it bounds the percentile of a typical run, its geometric
mean. Two runs tell a spread of which nothing follows; an interval needs three.

Whether runs differ more than each of them alone explains: with independent runs of one and the same
system, (n - 1) s^2 / w^2 is chi-square with n - 1 degrees, where w is what one run's own interval
says of its estimate's deviation: its width over twice the normal 95 % point, in logarithms.
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


@dataclass(frozen=True, slots=True)
class Spread:
    """Estimates of several runs.

    Attributes:
        variation: standard deviation over mean.
        lower_ns: the percentile of a typical run is at or above; None of fewer than three runs.
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
    """How many runs would place a typical one beside the limit; None if RUNS_MAX would not."""
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
    """Relative deviation between runs, and what their own intervals explain, if it is too little.

    Returns:
        Both, as shares of the value; None where the runs differ no more than they may, where a
        run has no interval, or with fewer than three runs.
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
    most = float(chdtri(count - 1, 1 - CONFIDENCE))
    return (between, within) if (count - 1) * between**2 > most * within**2 else None


def _half_width(count: int, sd: float) -> float:
    return float(stdtrit(count - 1, CONFIDENCE)) * sd / math.sqrt(count)


def _logs(values_ns: Sequence[int]) -> list[float]:
    return [math.log(max(1, value)) for value in values_ns]


def _mean_sd(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
