"""Three ways to answer whether a percentile keeps a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from harness.judge.verdict import Verdict
from harness.measure.histogram import Histogram
from harness.measure.statistics import CONFIDENCE, Interval, size_needed

_FACTOR_MAX = 100.0


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer.

    Attributes:
        longer_ns: how much longer to run for an answer other than INCONCLUSIVE; None if there is
            one, or if no reasonable time would do.
    """

    verdict: Verdict
    longer_ns: int | None = None


def decide(
    interval: Interval,
    limit_ns: int,
    histogram: Histogram,
    duration_ns: int,
    confidence: float = CONFIDENCE,
) -> Decision:
    """PASS if the interval lies below the limit, FAIL if it lies at or above, INCONCLUSIVE else.

    Args:
        interval: of the percentile.
        limit_ns: what the percentile must stay below.
        histogram: what the interval was taken from.
        duration_ns: how long it took to gather that.
        confidence: of the interval.
    """
    if interval.upper_ns is not None and interval.upper_ns < limit_ns:
        return Decision(Verdict.PASS)
    if interval.lower_ns is not None and interval.lower_ns >= limit_ns:
        return Decision(Verdict.FAIL)
    factor = _factor(interval, limit_ns, histogram, confidence)
    if factor > _FACTOR_MAX:
        return Decision(Verdict.INCONCLUSIVE)
    return Decision(Verdict.INCONCLUSIVE, math.ceil((factor - 1) * duration_ns))


def _factor(interval: Interval, limit_ns: int, histogram: Histogram, confidence: float) -> float:
    """By how much the sample should grow: a normal approximation of the binomial interval."""
    size = max(1, interval.effective.size)
    share = interval.percentile / 100
    below = histogram.count_below(limit_ns) / histogram.count
    distance = abs(below - share)
    needed = float(size_needed(interval.percentile, confidence))
    if distance > 0:
        needed = max(needed, ndtri(confidence) ** 2 * share * (1 - share) / distance**2)
    else:
        needed = math.inf
    # Correlated or unlucky samples need more than the approximation says.
    least = 2.0 if not interval.effective.decorrelated else 1.2
    return max(least, needed / size)
