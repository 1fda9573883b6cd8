"""Confidence interval of a percentile, and the effective sample size.

Interval: of n independent values, the number below the p-quantile is binomial (n, p), so the r-th
smallest is at or above the quantile with probability P(Bin(n, p) < r), and at or below it with
P(Bin(n, p) >= r) (David and Nagaraja, Order Statistics, section 7.1). It is distribution-free.

Effective sample size: latencies are autocorrelated. The indicator "above the estimated quantile" is
summed over batches of time; with batches long enough to be independent of each other, the
variance of its mean over that of independent values is the number of signals that one independent
value stands for (batch means; Law and Kelton, Simulation Modeling and Analysis, section 9.5.3).
Batches grow until neighbours are uncorrelated.

Where they stay correlated up to the last width or the one before it, as with latencies that change
a little over an hour, the percentile is bounded by a higher one: it is at or below P99.9, whose
upper bound is its own too. The next percentile whose batches are uncorrelated serves, P99.9 or
P99.99 for P99. Its bound errs for P99 only where it errs for a value above that, so the confidence
holds. Coverage: `python -m tests.studies.bench coverage`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, chdtri

from harness.analysis.histogram import Histogram, rank_of
from harness.analysis.series import Series
from harness.scenario.load import Load, confidence_of_each

CONFIDENCE = 0.95
# Fewer batches estimate their variance too poorly.
BATCHES_MIN = 10
_SIGNALS_PER_BATCH_FIRST = 5
# How often batches still grow after neighbours became uncorrelated, and if they always were. A
# correlation too weak to detect at one length may be detected at the next: the largest counts.
# These and `_VARIANCE_DOUBT` were chosen by `python -m tests.studies.bench coverage`: with 2 and
# 0.3 the upper bound was wrong in 6.7 % of simulated queues instead of 5 %.
_WIDENINGS = 5
# A level that moves a little over minutes is too weak a correlation for any test of short batches,
# and is most of the variance of long ones: batches always grow until there are no more than these.
# Without them the lower bound was wrong in 11.5 % of hours whose level forgets within a minute.
_BATCHES_ALWAYS = 200
_WIDENINGS_INDEPENDENT = 2
_VARIANCE_DOUBT = 0.2
# One-sided 5 % point of the standard normal distribution.
_Z = 1.6449
# Higher percentiles whose upper bound may serve: the share above is a tenth, then a hundredth.
_HIGHER = (10, 100)


@dataclass(frozen=True, slots=True)
class EffectiveSample:
    """Effective sample size of a series.

    Attributes:
        signals: sample size.
        effective_size: number of independent values with the same variance; at most `signals`.
        batches: number of batches it was estimated from; 0 where no value exceeds the quantile.
        decorrelated: whether neighbouring batches were uncorrelated at the end. If not,
            `effective_size` is an upper bound, and no upper bound of the percentile follows.
        barely: whether neighbours were uncorrelated at the last width only, after they had been
            correlated. So few batches hardly show a correlation.
        higher: a higher percentile whose upper bound serves instead; None where none is needed or
            found.
    """

    signals: int
    effective_size: int
    batches: int
    decorrelated: bool
    barely: bool = False
    higher: HigherPercentile | None = None


@dataclass(frozen=True, slots=True)
class HigherPercentile:
    """A percentile above the one asked for, whose batches are uncorrelated.

    Attributes:
        percentile: 0 < percentile < 100.
        effective_size: of the indicator "above" that percentile.
    """

    percentile: float
    effective_size: int


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """One-sided bounds of a percentile, each with the same confidence.

    Attributes:
        percentile: 0 < percentile < 100.
        estimate_ns: value at the percentile.
        lower_ns: the percentile is at or above; None where the sample is too small.
        upper_ns: the percentile is at or below; None where the sample is too small.
        effective: sample size of both bounds.
        confidence: of each bound.
    """

    percentile: float
    estimate_ns: int
    lower_ns: int | None
    upper_ns: int | None
    effective: EffectiveSample
    confidence: float = CONFIDENCE

    @property
    def upper_percentile(self) -> float | None:
        """The percentile that `upper_ns` bounds: a higher one may serve; None without a bound."""
        if self.upper_ns is None:
            return None
        return self.effective.higher.percentile if self.effective.higher else self.percentile


def interim_confidence(load: Load) -> float:
    """Confidence of each bound of a run; higher with repeated interim analyses."""
    return confidence_of_each(CONFIDENCE, len(load.analysis_times_s()))


def size_needed(percentile: float, confidence: float = CONFIDENCE) -> int:
    """Least number of independent values for an upper bound of a percentile: 299 for P99."""
    return math.ceil(math.log(1 - confidence) / math.log(percentile / 100))


def estimate_effective_sample(series: Series, percentile: float) -> EffectiveSample:
    """Effective sample size of a series for one of its percentiles.

    The larger inflation of two indicators counts: "above the estimated quantile" and "at or above"
    it. Where many values are tied at the quantile, one of the two is almost constant and shows no
    autocorrelation.
    """
    bins = series.counts_by_bin()
    found = _sample_at(series, bins, percentile)
    if found.decorrelated and not found.barely:
        return found
    for divisor in _HIGHER:
        above = 100 - (100 - percentile) / divisor
        at = _sample_at(series, bins, above)
        enough = at.effective_size >= size_needed(above)
        if enough and at.decorrelated and not at.barely:
            return replace(found, higher=HigherPercentile(above, at.effective_size))
    return found


def _sample_at(series: Series, bins: NDArray[np.int64], percentile: float) -> EffectiveSample:
    signals = len(series)
    if signals == 0:
        return EffectiveSample(0, 0, 0, True)
    quantile = int(np.searchsorted(np.cumsum(bins), rank_of(percentile, signals)))
    results = [
        one
        for bin_number in (quantile, quantile - 1)
        if (one := _size_beyond(series, bin_number, int(bins[bin_number + 1 :].sum()))) is not None
    ]
    if not results:
        return EffectiveSample(signals, signals, 0, True)
    smallest = min(results, key=lambda one: one.effective_size)
    return replace(
        smallest,
        decorrelated=all(one.decorrelated for one in results),
        barely=any(one.barely for one in results),
    )


def _size_beyond(series: Series, bin_number: int, beyond: int) -> EffectiveSample | None:
    """The same for the indicator "above a bin"; None where it is constant."""
    signals = len(series)
    share = beyond / signals
    if beyond in (0, signals):
        return None
    start_ms, end_ms = series.span_ms()
    span_ms = end_ms - start_ms + 1

    def batches(width_ms: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return series.batches(start_ms, width_ms, -(-span_ms // width_ms), bin_number)

    return batch_means(signals, share, span_ms, batches)


def batch_means(
    signals: int,
    share: float,
    span_ms: int,
    batches_of: Callable[[int], tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> EffectiveSample:
    """Effective sample size of an indicator by batch means.

    Args:
        signals: sample size.
        share: mean of the indicator; 0 < share < 1.
        span_ms: time from the first to the last signal.
        batches_of: for a width in ms, the signals and the marked ones of each batch.
    """
    width_ms = max(1, round(span_ms * _SIGNALS_PER_BATCH_FIRST / signals))
    inflation, batches, correlated, widenings = 1.0, 0, True, _WIDENINGS_INDEPENDENT
    while (number := -(-span_ms // width_ms)) >= BATCHES_MIN and (
        correlated or widenings > 0 or number > _BATCHES_ALWAYS
    ):
        counts, above = batches_of(width_ms)
        estimate, neighbours = _inflation(counts, above, share)
        inflation, batches = max(inflation, estimate), len(counts)
        widenings -= not correlated
        if correlated and neighbours:
            widenings = _WIDENINGS
        correlated = correlated and neighbours
        width_ms *= 2
    return EffectiveSample(
        signals,
        int(signals / inflation),
        batches,
        decorrelated=not correlated,
        barely=not correlated and widenings == _WIDENINGS,
    )


def _inflation(
    counts: NDArray[np.int64], above: NDArray[np.int64], share: float
) -> tuple[float, bool]:
    """Variance of batches over that of independent signals, and whether neighbours correlate."""
    # Batches differ in size, so each is compared with its own expectation.
    deviations = above - share * counts
    batches = len(counts)
    square = float(deviations @ deviations)
    expected = int(counts.sum()) * share * (1 - share)
    # Few batches estimate a variance poorly: the lower point of its distribution makes it larger.
    inflation = square * batches / float(chdtri(batches - 1, 1 - _VARIANCE_DOUBT)) / expected
    neighbours = float(deviations[1:] @ deviations[:-1]) / square if square else 0.0
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
        effective: sample size.
        fastest: the histogram without durations of which only an upper bound is known.
        unknown: number of those; for the lower bound they count as the fastest of all.
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
    """The upper bound of a percentile; None where the sample is too small.

    Args:
        histogram: durations.
        percentile: 0 < percentile < 100.
        effective: sample size of all of them.
        beyond: number of further durations above all others; the bound is None if one of them
            would be it.
        confidence: of the bound.
    """
    size, higher = effective.effective_size, effective.higher
    if higher is not None:
        size, percentile = higher.effective_size, higher.percentile
    elif not effective.decorrelated:
        return None
    _, rank = order_ranks(size, percentile, confidence)
    if rank is None:
        return None
    total = histogram.count + beyond
    return histogram.value_at_rank(min(total, math.ceil(rank * total / size)))


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
