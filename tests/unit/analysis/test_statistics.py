"""Intervals have their nominal coverage, or are None."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from harness.analysis.histogram import Histogram, bucket_index, bucket_low_ns
from harness.analysis.series import Series, interval_length_s
from harness.analysis.statistics import (
    EffectiveSample,
    estimate_effective_sample,
    order_ranks,
    percentile_interval,
    size_needed,
    upper_bound_ns,
)
from harness.analysis.summary import summarize_interval
from tests.studies.bench.coverage import errors, one
from tests.studies.bench.known_delays import HOUR_MODELS, MODELS

MS = 1_000_000
DELAYS = np.random.default_rng(11)


def series_of(durations: NDArray[np.int64], *, spacing_ms: float = 10.0) -> Series:
    """Durations of signals that were due at even distances."""
    series = Series()
    when = (np.arange(len(durations)) * spacing_ms * MS).astype(np.int64)
    series.add(when, durations)
    return series


def independent(size: int) -> EffectiveSample:
    """A sample of independent values."""
    return EffectiveSample(size, size, 1, True)


def lognormal(count: int, rng: np.random.Generator = DELAYS) -> NDArray[np.int64]:
    """Independent delays around 20 ms."""
    return rng.lognormal(np.log(20 * MS), 0.5, count).astype(np.int64)


def test_p99_needs_299() -> None:
    """The figure of measurement.md; and what the other percentiles need."""
    assert [size_needed(p) for p in (50.0, 90.0, 99.0, 99.9)] == [5, 29, 299, 2995]
    assert order_ranks(298, 99.0)[1] is None
    assert order_ranks(299, 99.0)[1] == 299


@settings(max_examples=60)
@given(st.integers(1, 5_000), st.sampled_from([50.0, 90.0, 99.0, 99.9]))
def test_ranks_have_the_confidence(size: int, percentile: float) -> None:
    """Each bound holds with 95 %, and the next tighter one would not."""
    lower, upper = order_ranks(size, percentile)
    share = percentile / 100
    if upper is not None:
        assert binom.cdf(upper - 1, size, share) >= 0.95
        assert binom.cdf(upper - 2, size, share) < 0.95
    if lower is not None:
        assert 1 - binom.cdf(lower - 1, size, share) >= 0.95
        assert 1 - binom.cdf(lower, size, share) < 0.95


def test_interval_covers_the_truth() -> None:
    """Of many samples of independent delays, each bound errs in about 5 % of them at most."""
    rng = np.random.default_rng(5)
    truth_ns = float(np.exp(np.log(20 * MS) + 0.5 * 2.3263478740408408))
    above = below = 0
    rounds = 300
    for _ in range(rounds):
        found = percentile_interval(Histogram.of(lognormal(1_000, rng)), 99.0, independent(1_000))
        assert found is not None
        assert found.lower_ns is not None
        assert found.upper_ns is not None
        above += found.lower_ns > truth_ns
        below += found.upper_ns < truth_ns
    # Three standard deviations of a binomial of 300 with 5 % is 11.
    assert above <= 26
    assert below <= 26


@pytest.mark.parametrize("name", ["independent", "queue M/M/1", "stalls every 10 s"])
def test_interval_covers_the_truth_of_autocorrelated_delays(name: str) -> None:
    """Each bound errs in 5 % of the series at most; `tests.studies.bench coverage` draws more."""
    rng = np.random.default_rng(17)
    low, high = errors([one(rng, MODELS[name]) for _ in range(150)])
    # Three standard deviations of a binomial of 150 with 5 % above those 5 %.
    assert max(low, high) <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5


@pytest.mark.parametrize("name", ["queue M/M/1", "stalls every 10 s"])
def test_assuming_independence_would_err(name: str) -> None:
    """The same series without batches: the laws above can fail."""
    rng = np.random.default_rng(17)
    wrong = 0
    for _ in range(30):
        times = np.sort(rng.uniform(0, 300, 30_000))
        delays = (MODELS[name](rng, times, 0.45) * 1e9).astype(np.int64)
        found = percentile_interval(Histogram.of(delays), 99.0, independent(30_000))
        assert found is not None
        assert found.lower_ns is not None
        assert found.upper_ns is not None
        wrong += not found.lower_ns <= 0.45e9 <= found.upper_ns
    assert wrong > 10


def test_independent_series_has_its_full_size() -> None:
    """Batches of independent delays vary as much as they should."""
    sizes = [
        estimate_effective_sample(series_of(lognormal(5_000)), 99.0).effective_size
        for _ in range(20)
    ]
    assert np.median(sizes) > 3_500


def test_stalls_make_the_effective_size_smaller() -> None:
    """A stall hits the signals of its time together: few stalls are few values, not hundreds."""
    durations = lognormal(30_000)
    spacing = 10.0
    for start in range(1_000, 30_000, 3_000):
        left_ms = 1_000 - np.arange(100) * spacing
        durations[start : start + 100] += (left_ms * MS).astype(np.int64)
    found = estimate_effective_sample(series_of(durations, spacing_ms=spacing), 99.0)
    assert found.decorrelated
    assert found.effective_size < 3_000
    assert found.batches >= 10


def test_series_that_never_decorrelates_is_marked() -> None:
    """A monotonic series has no effective sample: there is no upper bound."""
    durations = (np.arange(2_000) * MS // 10).astype(np.int64)
    found = estimate_effective_sample(series_of(durations), 50.0)
    assert not found.decorrelated
    bounds = percentile_interval(Histogram.of(durations), 50.0, found)
    assert bounds is not None
    assert bounds.upper_ns is None
    assert bounds.lower_ns is not None
    # A dozen values cannot place the median better than this.
    assert bounds.lower_ns < 60 * MS


def half_an_hour(rng: np.random.Generator) -> NDArray[np.int64]:
    """100/s whose level rises by a half; one in 50 signals is slow, whatever the level."""
    count = 180_000
    rising = np.linspace(1.0, 1.5, count) * lognormal(count, rng)
    delays = np.where(rng.random(count) < 0.02, 8 * lognormal(count, rng), rising)
    return delays.astype(np.int64)


def test_higher_percentile_bounds_where_the_asked_one_stays_autocorrelated() -> None:
    """P95 stays autocorrelated, P99.5 does not: its upper bound is an upper bound of both."""
    durations = half_an_hour(np.random.default_rng(5))
    histogram = Histogram.of(durations)
    found = estimate_effective_sample(series_of(durations), 95.0)
    assert not found.decorrelated
    assert found.higher is not None
    assert found.higher.percentile == 99.5
    interval = percentile_interval(histogram, 95.0, found)
    assert interval is not None
    assert interval.upper_ns is not None
    assert interval.upper_percentile == 99.5
    own = estimate_effective_sample(series_of(durations), 99.5)
    at_higher = percentile_interval(histogram, 99.5, own)
    assert at_higher is not None
    assert interval.upper_ns == at_higher.upper_ns
    # The lower bound stays that of the percentile itself, from the batches.
    assert interval.lower_ns is not None
    assert interval.lower_ns <= interval.estimate_ns
    assert upper_bound_ns(histogram, 95.0, found, beyond=len(durations) // 100) is None


def test_level_that_wanders_over_minutes_is_bounded_by_a_higher_percentile() -> None:
    """A dozen batches that seem uncorrelated do not suffice: 28 of 58 such bounds were wrong."""
    rng = np.random.default_rng(1)
    found = [one(rng, HOUR_MODELS["level forgets in 600 s"], 3_600.0) for _ in range(6)]
    assert any(interval.effective.barely for interval in found)
    # The fifth stays autocorrelated at every percentile.
    assert [interval.upper_percentile for interval in found] == [
        *(99.99, 99.99, 99.9, 99.9),
        *(None, 99.99),
    ]
    assert errors(found)[1] == 0


def test_higher_percentile_needs_its_own_sample_size() -> None:
    """The level rises, with 500 signals in all: P99.5 is uncorrelated, and would need 598."""
    rng = np.random.default_rng(1)
    rising = np.linspace(1.0, 20.0, 500) * MS
    durations = np.where(np.arange(500) % 125 == 7, 90 * MS + 1000 * np.arange(500), rising)
    durations = durations + rng.integers(0, MS, 500)
    found = estimate_effective_sample(series_of(durations.astype(np.int64)), 50.0)
    assert not found.decorrelated
    assert found.higher is None


def tied(above: NDArray[np.bool_], at: NDArray[np.bool_], below: NDArray[np.bool_]) -> Series:
    """30,000 signals in 300 s: some at 900 ms, some above, some in the bucket just below."""
    quantile_ns = 900_000_000
    under_ns = bucket_low_ns(int(bucket_index(np.array([quantile_ns]))[0])) - 1
    delays = np.full(len(at), 10_000_000)
    delays[below], delays[at], delays[above] = under_ns, quantile_ns, 2_000_000_000
    series = Series()
    series.add(np.arange(len(at), dtype=np.int64) * 10_000_000, delays.astype(np.int64))
    return series


def test_ties_at_the_quantile_use_the_larger_inflation() -> None:
    """Ten bunches of 40 equal ones; what is above is independent, and so is the bucket below."""
    rng, number = np.random.default_rng(3), np.arange(30_000)
    at = number % 3_000 < 40
    found = estimate_effective_sample(
        tied(rng.random(30_000) < 0.003, at, rng.random(30_000) < 0.05), 99.0
    )
    assert found.decorrelated
    assert found.effective_size < 1_500


def test_ties_that_never_decorrelate_leave_the_sample_open() -> None:
    """Equal ones in the first half only; those above them come all the time."""
    rng, number = np.random.default_rng(3), np.arange(30_000)
    at = (number < 15_000) & (rng.random(30_000) < 0.02)
    found = estimate_effective_sample(tied(rng.random(30_000) < 0.003, at, number < 0), 99.0)
    assert not found.decorrelated


def test_equal_delays_and_none_at_all() -> None:
    """Nothing exceeds the quantile of equal delays; an empty series has no effective size."""
    same = np.full(500, 20 * MS, dtype=np.int64)
    assert estimate_effective_sample(series_of(same), 99.0).effective_size == 500
    assert estimate_effective_sample(Series(), 99.0).effective_size == 0
    assert percentile_interval(Histogram.of([]), 99.0, independent(0)) is None


def test_smaller_effective_size_widens_the_interval() -> None:
    """The same signals with a smaller effective size bound less tightly."""
    histogram = Histogram.of(lognormal(10_000))
    wide = percentile_interval(histogram, 99.0, EffectiveSample(10_000, 600, 50, True))
    tight = percentile_interval(histogram, 99.0, independent(10_000))
    assert wide is not None
    assert tight is not None
    assert wide.lower_ns is not None
    assert tight.lower_ns is not None
    assert wide.upper_ns is not None
    assert tight.upper_ns is not None
    assert wide.lower_ns < tight.lower_ns <= tight.estimate_ns <= tight.upper_ns < wide.upper_ns


def test_unknown_signals_count_as_fastest_for_the_lower_bound() -> None:
    """What is only bounded from above cannot raise the lower bound."""
    known = Histogram.of(np.arange(1, 1_001) * MS)
    unknown = Histogram.of(np.full(200, 60_000 * MS))
    found = percentile_interval(
        known + unknown, 99.0, independent(1_200), fastest=known, unknown=200
    )
    assert found is not None
    assert found.upper_ns == 60_000 * MS
    assert found.lower_ns is not None
    assert found.lower_ns <= 1_000 * MS * 1.001


def test_intervals_of_time_sum_to_the_whole() -> None:
    """Every signal lies in exactly one interval."""
    durations = lognormal(2_000)
    series = series_of(durations, spacing_ms=7.3)
    intervals = list(series.counts_by_interval(2))
    assert [number for number, _ in intervals] == list(range(8))
    total = sum(counts for _, counts in intervals)
    assert np.array_equal(total, Histogram.of(durations).counts)
    figures = summarize_interval(*intervals[0][:1], 2, intervals[0][1])
    assert figures.p50_ns is not None
    assert figures.p50_ns <= figures.max_ns
    # 274 signals do not support a P99; five seconds of them do.
    assert (figures.count, figures.p99_ns) == (274, None)
    longer = summarize_interval(0, 5, next(counts for _, counts in series.counts_by_interval(5)))
    assert longer.p99_ns is not None
    assert figures.p50_ns <= longer.p99_ns <= longer.max_ns


@pytest.mark.parametrize(("seconds", "length"), [(30, 1), (600, 1), (601, 2), (86_400, 144)])
def test_number_of_intervals_is_bounded(seconds: int, length: int) -> None:
    """A long run has longer intervals, not more."""
    assert interval_length_s(seconds * 1_000 * MS) == length


def test_values_outside_the_layout_keep_their_place_in_a_series() -> None:
    """Below zero is lowest, beyond the range is highest."""
    series = Series()
    series.add(np.zeros(3, np.int64), np.array([-5, 1 << 50, 10 * MS]))
    ((_, what),) = series.chunks()
    assert np.argsort(what).tolist() == [0, 2, 1]
