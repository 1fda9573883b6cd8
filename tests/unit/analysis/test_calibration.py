"""Bounds err at the nominal rate, neither more often nor less often."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import binom, chi2, norm

from harness.analysis.histogram import Histogram
from harness.analysis.series import Series
from harness.analysis.statistics import (
    EffectiveSample,
    estimate_effective_sample,
    order_ranks,
    percentile_interval,
    upper_bound_ns,
)

MS = 1_000_000
SPACING_MS = 10
SERIES = 400
SIGNALS = 3_000
P99_NS = 450 * MS
# The slope of ln(duration) over the quantile: a bucket, 0.1 % wide, spans 0.00002 of the quantile.
STEEPNESS = 50.0
BUCKET = 1.001
# Chance that a correct implementation fails one side of an acceptance range.
ALPHA = 0.001

Model = Callable[[np.random.Generator], NDArray[np.float64]]


def independent(rng: np.random.Generator) -> NDArray[np.float64]:
    """Independent quantiles."""
    return rng.random(SIGNALS)


def bunched(rng: np.random.Generator) -> NDArray[np.float64]:
    """Ten signals in a row share their quantile: the effective sample size is a tenth."""
    return np.repeat(rng.random(SIGNALS), 10)


def autoregressive(rng: np.random.Generator) -> NDArray[np.float64]:
    """Quantiles of a stationary AR(1) process with coefficient 0.8."""
    shocks = 0.6 * rng.standard_normal(SIGNALS)
    shocks[0] /= 0.6
    return np.asarray(norm.cdf(lfilter([1.0], [1.0, -0.8], shocks)), dtype=np.float64)


def series_of(durations: NDArray[np.int64], spacing_ms: int = SPACING_MS) -> Series:
    """Signals due at even distances."""
    series = Series()
    series.add(np.arange(len(durations), dtype=np.int64) * spacing_ms * MS, durations)
    return series


def acceptance(chance: float, rounds: int) -> tuple[int, int]:
    """Range that a binomial count leaves with the chance ALPHA at most, on either side."""
    return int(binom.ppf(ALPHA, rounds, chance)), int(binom.isf(ALPHA, rounds, chance))


def errors(
    model: Model, rounds: int, size_of: Callable[[NDArray[np.int64]], EffectiveSample]
) -> tuple[int, int, float]:
    """Wrong lower bounds, wrong upper bounds, and effective sample size over signals, on average.

    Args:
        model: draws quantiles, whose true P99 is 0.99.
        rounds: how many series.
        size_of: the effective sample size of durations.
    """
    rng = np.random.default_rng(2026)
    low = high = 0
    shares = []
    for _ in range(rounds):
        durations = (P99_NS * np.exp(STEEPNESS * (model(rng) - 0.99))).astype(np.int64)
        effective = size_of(durations)
        found = percentile_interval(Histogram.of(durations), 99.0, effective)
        assert found is not None
        low += found.lower_ns is not None and found.lower_ns > P99_NS * BUCKET
        high += found.upper_ns is not None and found.upper_ns < P99_NS
        shares.append(effective.effective_size / len(durations))
    return low, high, float(np.mean(shares))


def batch_means(slow: list[bool], spacing_ms: int) -> tuple[int, int, bool]:
    """The method of batch means, one batch at a time: size, batches, decorrelated."""
    count, share = len(slow), sum(slow) / len(slow)
    span = (count - 1) * spacing_ms + 1
    width = max(1, round(5 * span / count))
    inflation, batches, correlated, more = 1.0, 0, True, 2
    while math.ceil(span / width) >= 10:
        if not correlated and more <= 0 and math.ceil(span / width) <= 200:
            break
        rest = [0.0] * math.ceil(span / width)
        for number, is_slow in enumerate(slow):
            rest[number * spacing_ms // width] += is_slow - share
        batches = len(rest)
        variance = sum(one**2 for one in rest) / chi2.ppf(0.2, batches - 1) * batches
        inflation = max(inflation, variance / (count * share * (1 - share)))
        lag = sum(one * two for one, two in pairwise(rest)) / sum(one**2 for one in rest)
        more -= not correlated
        if correlated and lag > norm.isf(0.05) / math.sqrt(batches):
            more = 5
        else:
            correlated = False
        width *= 2
    return int(count / inflation), batches, not correlated


@pytest.mark.parametrize("seed", range(64))
def test_sample_size_is_that_of_batch_means(seed: int) -> None:
    """Series of two values, from independent to strongly autocorrelated, of many lengths."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(9, 1_500)) if seed < 60 else 20_000
    keep = float(rng.choice([0.0, 0.2, 0.5, 0.8, 0.95, 0.99]))
    spacing_ms = int(rng.choice([1, 7, 10, 40]))
    level, levels = 0.0, []
    for shock in rng.standard_normal(count):
        level = keep * level + math.sqrt(1 - keep**2) * shock
        levels.append(level)
    slow = [level > 0.4 for level in levels]
    if not any(slow) or sum(slow) > count / 2:
        slow = [number % 3 == 0 for number in range(count)]
    durations = np.where(slow, 100 * MS, MS).astype(np.int64)
    found = estimate_effective_sample(series_of(durations, spacing_ms), 50.0)
    expected = batch_means(slow, spacing_ms)
    assert (found.signals, found.batches, found.decorrelated) == (count, *expected[1:])
    assert abs(found.effective_size - expected[0]) <= 1  # rounding of the same quotient


@pytest.mark.parametrize(("signals_per_ms", "batches"), [(1, 50), (10, 25)])
def test_batches_without_any_variance(signals_per_ms: int, batches: int) -> None:
    """One signal in five is a bucket slower: every batch is as expected, whenever it begins."""
    numbers = np.arange(1_000)
    durations = np.where(numbers % 5 == 0, MS + 512, MS).astype(np.int64)
    for start_ms in (0, 17):
        series = Series()
        series.add((numbers // signals_per_ms + start_ms) * MS, durations)
        assert estimate_effective_sample(series, 50.0) == EffectiveSample(
            1_000, 1_000, batches, True
        )


def test_equal_durations_are_independent() -> None:
    """Nothing exceeds the quantile, so that no batch gives an estimate."""
    found = estimate_effective_sample(series_of(np.full(700, MS, dtype=np.int64)), 99.0)
    assert found == EffectiveSample(700, 700, 0, True)


@pytest.mark.parametrize(
    ("total", "size"), [(1_000, 1_000), (2_000, 500), (1_700, 333), (1_999, 620)]
)
def test_bounds_are_the_order_statistics_of_the_effective_size(total: int, size: int) -> None:
    """Of a smaller sample the r-th value stands for all those of the same share of the whole."""
    histogram = Histogram.of(np.arange(1, total + 1) * 512)  # each value in a bucket of its own
    lower, upper = order_ranks(size, 99.0)
    assert lower is not None
    assert upper is not None
    found = percentile_interval(histogram, 99.0, EffectiveSample(total, size, 20, True))
    assert found is not None
    below = [rank for rank in range(1, total + 1) if (rank - 1) * size <= (lower - 1) * total]
    assert found.lower_ns == histogram.value_at_rank(below[-1])
    least = next(rank for rank in range(1, total + 1) if rank * size >= upper * total)
    assert found.upper_ns == histogram.value_at_rank(least)
    assert (found.percentile, found.estimate_ns) == (99.0, histogram.percentile_ns(99.0))


def test_correlated_batches_are_one_value_each_for_the_lower_bound() -> None:
    """Where batches never became independent there is no upper bound, and a lower one of few."""
    histogram = Histogram.of(np.arange(1, 1_001) * MS)
    found = percentile_interval(histogram, 50.0, EffectiveSample(1_000, 800, 40, False))
    few = percentile_interval(histogram, 50.0, EffectiveSample(1_000, 40, 40, True))
    assert found is not None
    assert few is not None
    assert (found.lower_ns, found.upper_ns) == (few.lower_ns, None)


def test_unknown_durations_move_the_lower_bound_by_as_many_ranks() -> None:
    """They count as the fastest of all: one rank each."""
    histogram = Histogram.of(np.arange(1, 1_001) * MS)
    ranks = order_ranks(1_000, 90.0)
    found = percentile_interval(histogram, 90.0, EffectiveSample(1_000, 1_000, 1, True))
    moved = percentile_interval(histogram, 90.0, EffectiveSample(1_000, 1_000, 1, True), unknown=7)
    assert ranks[0] is not None
    assert found is not None
    assert moved is not None
    assert found.lower_ns == histogram.value_at_rank(ranks[0])
    assert moved.lower_ns == histogram.value_at_rank(ranks[0] - 7)


def test_signals_beyond_every_limit_have_the_highest_ranks() -> None:
    """The bound counts them in the total, and is none where it would be one of them."""
    histogram = Histogram.of(np.arange(1, 991) * MS)
    effective = EffectiveSample(1_000, 1_000, 1, True)
    _, rank = order_ranks(1_000, 90.0)
    assert rank is not None
    assert upper_bound_ns(histogram, 90.0, effective, beyond=10) == histogram.value_at_rank(rank)
    assert upper_bound_ns(histogram, 99.0, effective, beyond=10) is None


@pytest.mark.parametrize(("size", "ranks"), [(1, (None, None)), (4, (None, None)), (5, (1, 5))])
def test_smallest_samples_that_bound_a_median(size: int, ranks: tuple[int, int]) -> None:
    """The least and the greatest of five values bound the median from either side."""
    assert order_ranks(size, 50.0) == ranks
    assert order_ranks(0, 50.0) == (None, None)
    assert order_ranks(1, 99.0) == (1, None)
    assert estimate_effective_sample(Series(), 50.0) == EffectiveSample(0, 0, 0, True)


@pytest.mark.parametrize("size", [320, 500])
def test_bounds_of_independent_signals_err_exactly_as_often_as_they_may(size: int) -> None:
    """With the true sample size, each count of errors lies within the exact binomial range."""
    rounds = 2_000
    lower, upper = order_ranks(size, 99.0)
    assert lower is not None
    assert upper is not None
    low, high, _ = errors(
        lambda rng: rng.random(size), rounds, lambda _: EffectiveSample(size, size, 1, True)
    )
    # The least rank whose bound errs in 5 % at most, found by trying every one.
    chance_low = max(c for k in range(size) if (c := float(binom.cdf(k, size, 0.99))) <= 0.05)
    chance_high = max(c for k in range(size) if (c := float(binom.sf(k, size, 0.99))) <= 0.05)
    fewest, most = acceptance(chance_low, rounds)
    assert fewest <= low <= most
    fewest, most = acceptance(chance_high, rounds)
    assert fewest <= high <= most


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [(independent, 0.6, 0.95), (bunched, 0.06, 0.1), (autoregressive, 0.2, 0.5)],
)
def test_estimated_sample_size_keeps_the_error(model: Model, least: float, most: float) -> None:
    """Neither bound errs in more than 5 %, and the sample size is not wasted either."""
    low, high, share = errors(
        model, SERIES, lambda durations: estimate_effective_sample(series_of(durations), 99.0)
    )
    _, highest = acceptance(0.05, SERIES)
    assert max(low, high) <= highest
    assert min(low, high) > 0
    assert least <= share <= most
