"""The decision whether a percentile, or a share, meets a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from harness.analysis.histogram import Histogram
from harness.analysis.share_interval import ShareInterval, signals_needed
from harness.analysis.statistics import ConfidenceInterval, size_needed
from harness.judge.verdict import Verdict

_FACTOR_MAX = 100.0


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision.

    Attributes:
        longer_ns: how much longer to run for an answer other than INCONCLUSIVE; None if there is
            one, or if no reasonable time would do.
    """

    verdict: Verdict
    longer_ns: int | None = None


def decide(
    interval: ConfidenceInterval,
    limit_ns: int,
    histogram: Histogram,
    duration_ns: int,
) -> Decision:
    """PASS if the interval lies below the limit, FAIL if it lies at or above, INCONCLUSIVE else.

    Args:
        interval: of the percentile.
        limit_ns: what the percentile must stay below.
        histogram: that the interval was computed from.
        duration_ns: length of the measurement.
    """
    if interval.upper_ns is not None and interval.upper_ns < limit_ns:
        return Decision(Verdict.PASS)
    if interval.lower_ns is not None and interval.lower_ns >= limit_ns:
        return Decision(Verdict.FAIL)
    factor = _factor(interval, limit_ns, histogram)
    if factor > _FACTOR_MAX:
        return Decision(Verdict.INCONCLUSIVE)
    return Decision(Verdict.INCONCLUSIVE, math.ceil((factor - 1) * duration_ns))


def _factor(interval: ConfidenceInterval, limit_ns: int, histogram: Histogram) -> float:
    """By how much the sample should grow: a normal approximation of the binomial interval."""
    size = max(1, interval.effective.effective_size)
    share = interval.percentile / 100
    below = histogram.count_below(limit_ns) / histogram.count
    distance = abs(below - share)
    needed = float(size_needed(interval.percentile, interval.confidence))
    if distance > 0:
        needed = max(needed, ndtri(interval.confidence) ** 2 * share * (1 - share) / distance**2)
    else:
        needed = math.inf
    # Autocorrelated or unlucky samples need more than the approximation gives.
    least = 2.0 if not interval.effective.decorrelated else 1.2
    return max(least, needed / size)


def decide_share(
    found: ShareInterval,
    limit: float,
    duration_ns: int,
    *,
    including: bool = False,
) -> Decision:
    """PASS if the interval of a share lies below the limit, FAIL if at or above, else INCONCLUSIVE.

    Args:
        found: the interval.
        limit: what the share must stay below, 0..1.
        duration_ns: length of the measurement.
        including: whether a share equal to the limit meets it.
    """
    if found.upper < limit or (including and found.upper == limit):
        return Decision(Verdict.PASS)
    if found.lower > limit or (not including and found.lower == limit):
        return Decision(Verdict.FAIL)
    distance = abs(found.estimate - limit)
    needed = float(signals_needed(limit, found.confidence))
    if distance > 0:
        needed = max(needed, ndtri(found.confidence) ** 2 * limit * (1 - limit) / distance**2)
    else:
        needed = math.inf
    least = 1.2 if found.effective.decorrelated else 2.0
    factor = max(least, needed / max(1, found.effective.effective_size))
    if factor > _FACTOR_MAX:
        return Decision(Verdict.INCONCLUSIVE)
    return Decision(Verdict.INCONCLUSIVE, math.ceil((factor - 1) * duration_ns))
