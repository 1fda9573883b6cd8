"""How far a percentile can be trusted, and what follows for a limit.

Interval: of n independent values, the number below the p-quantile is binomial (n, p), so the r-th
smallest is at or above the quantile with probability P(Bin(n, p) < r), and at or below it with
P(Bin(n, p) >= r) (David and Nagaraja, Order Statistics, section 7.1). No form of distribution is
assumed.

Effective size: latencies are not independent. The indicator "above the estimated quantile" is
summed over batches of time; with batches long enough to be independent of each other, the
variance of its mean over that of independent values is the number of signals that one independent
value stands for (batch means; Law and Kelton, Simulation Modeling and Analysis, section 9.5.3).
Batches grow until neighbours do not correlate any more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, chdtri

from harness.analysis.histogram import Histogram, rank_of
from harness.analysis.series import Series
from harness.scenario.load import Load, confidence_of_each

CONFIDENCE = 0.95
# Below this many batches their variance says too little.
BATCHES_MIN = 10
_SIGNALS_PER_BATCH_FIRST = 5
# How often batches still grow after neighbours have stopped to correlate, or if they never did: a
# bond too weak to see at one length may show at the next, and the largest figure counts. These and
# the doubt were chosen by `python -m tests.studies.bench coverage`: with 2 and 0.3 the upper bound was
# wrong in 6.7 % of simulated queues instead of 5 %.
_WIDENINGS = 5
_WIDENINGS_INDEPENDENT = 2
_VARIANCE_DOUBT = 0.2
# One-sided 5 % point of the standard normal distribution.
_Z = 1.6449


@dataclass(frozen=True, slots=True)
class EffectiveSample:
    """How many independent values a series is worth.

    Attributes:
        signals: how many there are.
        size: how many independent ones they are worth, at most as many.
        batches: batches of time that the figure rests on; 0 where no value exceeds the quantile.
        decorrelated: whether neighbouring batches were independent in the end. If not, `size` is
            an upper bound, and nothing may be promised on its ground.
    """

    signals: int
    effective_size: int
    batches: int
    decorrelated: bool


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """One-sided bounds of a percentile, each with the same confidence.

    Attributes:
        percentile: 0 < percentile < 100.
        estimate_ns: value at the percentile.
        lower_ns: the percentile is at or above; None where the sample is too small to tell.
        upper_ns: the percentile is at or below; None where the sample is too small to tell.
        effective: sample size that both rest on.
        confidence: of each bound.
    """

    percentile: float
    estimate_ns: int
    lower_ns: int | None
    upper_ns: int | None
    effective: EffectiveSample
    confidence: float = CONFIDENCE


def interim_confidence(load: Load) -> float:
    """The confidence of each bound of a run; higher where the verdict is analysed repeatedly."""
    return confidence_of_each(CONFIDENCE, len(load.analysis_times_s()))


def size_needed(percentile: float, confidence: float = CONFIDENCE) -> int:
    """Least number of independent values that bound a percentile from above: 299 for P99."""
    return math.ceil(math.log(1 - confidence) / math.log(percentile / 100))


def estimate_effective_sample(series: Series, percentile: float) -> EffectiveSample:
    """Effective sample size of a series for one of its percentiles.

    Two indicators are looked at, "above the estimated quantile" and "at or above" it; the larger
    inflation counts. Where many values are tied at the quantile, one of the two is almost constant
    and says nothing of how its signals came together.
    """
    signals = len(series)
    if signals == 0:
        return EffectiveSample(0, 0, 0, True)
    places = series.counts_by_bin()
    quantile = int(np.searchsorted(np.cumsum(places), rank_of(percentile, signals)))
    found = [
        one
        for place in (quantile, quantile - 1)
        if (one := _size_beyond(series, place, int(places[place + 1 :].sum()))) is not None
    ]
    if not found:
        return EffectiveSample(signals, signals, 0, True)
    least = min(found, key=lambda one: one.effective_size)
    return EffectiveSample(
        signals, least.effective_size, least.batches, all(one.decorrelated for one in found)
    )


def _size_beyond(series: Series, place: int, beyond: int) -> EffectiveSample | None:
    """The same for the indicator "above a place"; None where it is the same for every signal."""
    signals = len(series)
    share = beyond / signals
    if beyond in (0, signals):
        return None
    start_ms, end_ms = series.span_ms()
    span_ms = end_ms - start_ms + 1

    def batches(width_ms: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return series.batches(start_ms, width_ms, -(-span_ms // width_ms), place)

    return batch_means(signals, share, span_ms, batches)


def batch_means(
    signals: int,
    share: float,
    span_ms: int,
    batches_of: Callable[[int], tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> EffectiveSample:
    """Effective size of an indicator by batch means.

    Args:
        signals: how many there are.
        share: of them, those that the indicator marks; 0 < share < 1.
        span_ms: time that they take.
        batches_of: of a width in ms, the signals and the marked ones of each batch.
    """
    width_ms = max(1, round(span_ms * _SIGNALS_PER_BATCH_FIRST / signals))
    inflation, batches, correlated, widenings = 1.0, 0, True, _WIDENINGS_INDEPENDENT
    while (correlated or widenings > 0) and -(-span_ms // width_ms) >= BATCHES_MIN:
        counts, above = batches_of(width_ms)
        found, neighbours = _inflation(counts, above, share)
        inflation, batches = max(inflation, found), len(counts)
        widenings -= not correlated
        if correlated and neighbours:
            widenings = _WIDENINGS
        correlated = correlated and neighbours
        width_ms *= 2
    return EffectiveSample(signals, int(signals / inflation), batches, not correlated)


def _inflation(
    counts: NDArray[np.int64], above: NDArray[np.int64], share: float
) -> tuple[float, bool]:
    """Variance of batches over that of independent signals, and whether neighbours correlate."""
    # Batches differ in how many signals they hold, so each is held against its own expectation.
    rest = above - share * counts
    batches = len(counts)
    square = float(rest @ rest)
    expected = int(counts.sum()) * share * (1 - share)
    # Few batches tell a variance poorly: the lower point of its distribution makes it larger.
    inflation = square * batches / float(chdtri(batches - 1, 1 - _VARIANCE_DOUBT)) / expected
    neighbours = float(rest[1:] @ rest[:-1]) / square if square else 0.0
    return inflation, neighbours > _Z / math.sqrt(batches)


def percentile_interval(
    histogram: Histogram,
    percentile: float,
    effective: EffectiveSample,
    *,
    fastest: Histogram | None = None,
    unknown: int = 0,
    confidence: float = CONFIDENCE,
) -> ConfidenceInterval | None:
    """The interval of a percentile; None for an empty histogram.

    Args:
        histogram: durations; unknown ones at their upper bound.
        percentile: 0 < percentile < 100.
        effective: sample size it is worth.
        fastest: the same without those whose duration is only bounded from above, if there are.
        unknown: how many those are; for the lower bound they count as the fastest of all.
        confidence: of each bound.
    """
    estimate = histogram.percentile_ns(percentile)
    if estimate is None:
        return None
    # Where batches are autocorrelated, each of them is one value at most.
    size = (
        effective.effective_size
        if effective.decorrelated
        else min(effective.effective_size, effective.batches)
    )
    total = histogram.count
    lower_rank, _ = order_ranks(size, percentile, confidence)
    lower_ns = None
    upper_ns = upper_bound_ns(histogram, percentile, effective, confidence=confidence)
    if lower_rank is not None:
        rank = math.floor((lower_rank - 1) * total / size) + 1
        lower_ns = (fastest or histogram).value_at_rank(rank - unknown)
    return ConfidenceInterval(percentile, estimate, lower_ns, upper_ns, effective, confidence)


def upper_bound_ns(
    histogram: Histogram,
    percentile: float,
    effective: EffectiveSample,
    *,
    beyond: int = 0,
    confidence: float = CONFIDENCE,
) -> int | None:
    """The upper bound of a percentile; None where the sample is too small to tell.

    Args:
        histogram: durations.
        percentile: 0 < percentile < 100.
        effective: sample size that all of them together are worth.
        beyond: how many more there are that are longer than anything; where one of them would be
            the bound, there is none.
        confidence: of the bound.
    """
    _, rank = order_ranks(effective.effective_size, percentile, confidence)
    if rank is None or not effective.decorrelated:
        return None
    total = histogram.count + beyond
    return histogram.value_at_rank(min(total, math.ceil(rank * total / effective.effective_size)))


def order_ranks(
    size: int, percentile: float, confidence: float = CONFIDENCE
) -> tuple[int | None, int | None]:
    """Ranks of the order statistics that bound a percentile; None where none does."""
    if size < 1:
        return None, None
    share = percentile / 100
    # The least k with P(Bin <= k) >= q is the q-quantile; below it lies less than q.
    upper = _binomial_quantile(confidence, size, share) + 1
    lower = _binomial_quantile(1 - confidence, size, share)
    return (lower if lower >= 1 else None), (upper if upper <= size else None)


def _binomial_quantile(level: float, size: int, share: float) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if bdtr(middle, size, share) >= level:
            high = middle
        else:
            low = middle + 1
    return low
