"""The share of signals beyond a limit over several runs, with the run as cluster.

A group of runs is a cluster sample: run i has n_i signals, x_i of them beyond the limit. The share
is the ratio estimator p = sum x_i / sum n_i, and its design effect is the variance between runs
over that of independent signals,

    deff = R / (R - 1) * sum (x_i - p n_i)^2 / (sum n_i * p (1 - p))

(Cochran, Sampling Techniques, section 9A.1). The bounds are those of Clopper and Pearson for
n* = sum n_i / deff * (z / t(R - 1))^2 signals of which p n* lie beyond; z and t are the one-sided
95 % points (Korn and Graubard, Survey Methodology 24, 1998, for small shares, for which a normal
interval is too narrow). n* is at most the sum of the effective sample sizes within the runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import betaincinv, stdtrit

from harness.analysis.statistics import CONFIDENCE

# One-sided 5 % point of the standard normal distribution.
_Z = 1.6449


@dataclass(frozen=True, slots=True)
class RunShare:
    """Signals of one run.

    Attributes:
        signals: at least one.
        beyond: signals at or above the limit; at most `signals`.
        effective: effective sample size within the run; at most `signals`.
    """

    signals: int
    beyond: int
    effective: int


@dataclass(frozen=True, slots=True)
class PooledShare:
    """Signals of all runs.

    Attributes:
        share: of those beyond the limit, 0 to 1.
        effective: effective sample size that the bounds rest on.
        lower: the true share is at or above, with 95 % confidence.
        upper: it is at or below, with 95 % confidence.
    """

    signals: int
    beyond: int
    share: float
    effective: float
    lower: float
    upper: float


def pooled_share(runs: Sequence[RunShare]) -> PooledShare:
    """The share over at least one run; the order of the runs does not matter."""
    signals, beyond = sum(run.signals for run in runs), sum(run.beyond for run in runs)
    share = beyond / signals
    effective = float(sum(run.effective for run in runs))
    squares = math.fsum((run.beyond - share * run.signals) ** 2 for run in runs)
    degrees = len(runs) - 1
    if degrees and squares > 0:
        deff = len(runs) / degrees * squares / (signals * share * (1 - share))
        effective = min(effective, signals / deff * (_Z / float(stdtrit(degrees, CONFIDENCE))) ** 2)
    return PooledShare(signals, beyond, share, effective, *_bounds(share, effective))


def runs_to_decide(pooled: PooledShare, runs: int, allowed: float, runs_max: int) -> int | None:
    """Number of runs like these whose bounds would exclude the allowed share.

    None if more than `runs_max` are needed.
    """
    for count in range(runs + 1, runs_max + 1):
        lower, upper = _bounds(pooled.share, pooled.effective * count / runs)
        if lower >= allowed or upper < allowed:
            return count
    return None


def detectable_period_ns(measured_ns: int) -> int:
    """Longest period of events that a time T misses with 5 % probability: T / ln 20, in ns.

    Independent events at a rate r are missed with probability exp(-r T).
    """
    return round(measured_ns / -math.log(1 - CONFIDENCE))


def _bounds(share: float, size: float) -> tuple[float, float]:
    """Clopper and Pearson's bounds by quantiles of the beta distribution; for real sizes too."""
    beyond, within = share * size, (1 - share) * size
    lower = float(betaincinv(beyond, within + 1, 1 - CONFIDENCE)) if beyond > 0 else 0.0
    upper = float(betaincinv(beyond + 1, within, CONFIDENCE)) if within > 0 else 1.0
    return lower, upper
