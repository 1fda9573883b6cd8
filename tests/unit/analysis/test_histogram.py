"""Our histogram against HdrHistogram itself, and against exact order statistics."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import histogram_encoding
from harness.analysis.histogram import (
    BUCKETS,
    DIGITS,
    HIGHEST_NS,
    LIMIT_NS,
    LOWEST_NS,
    Histogram,
    HistogramBuilder,
    bucket_high_ns,
    bucket_index,
    bucket_low_ns,
    bucket_middles_ns,
    empty_histogram,
)
from harness.errors import EvidenceError

INSIDE = st.integers(0, LIMIT_NS - 1)
# Every power of two is as likely as any other, so that each range of buckets is met.
SPREAD = st.integers(0, 41).flatmap(lambda bits: st.integers(0, (2 << bits) - 1))
ANY = st.one_of(SPREAD, st.integers(-(10**12), -1), st.integers(LIMIT_NS, 1 << 60))
VALUES = st.lists(ANY, max_size=60)


def standard(values: list[int]) -> tuple[HdrHistogram, int]:
    """HdrHistogram's own recording, one value at a time, and how many it would not take."""
    histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    return histogram, sum(not histogram.record_value(value) for value in values)


def test_layout_is_hdr_histograms() -> None:
    """As many buckets, with the same ends."""
    histogram, _ = standard([])
    assert histogram.counts_len == BUCKETS
    for index in [*range(0, 4_096, 7), *range(0, BUCKETS, 511), BUCKETS - 1]:
        low = histogram.get_value_from_index(index)
        assert bucket_low_ns(index) == low
        assert bucket_high_ns(index) == histogram.get_highest_equivalent_value(low)
    assert bucket_high_ns(BUCKETS - 1) == LIMIT_NS - 1


@settings(max_examples=100)
@given(st.lists(ANY, min_size=1, max_size=40))
def test_counts_are_hdr_histograms(values: list[int]) -> None:
    """Each value falls into the bucket that HdrHistogram gives it; refused ones are told apart."""
    reference, refused = standard(values)
    own = Histogram.of(values)
    assert np.array_equal(np.frombuffer(reference.counts, dtype=np.int64), own.counts)
    assert own.negative + own.overflow == refused
    assert own.negative == sum(value < 0 for value in values)


@given(SPREAD)
def test_bucket_holds_its_value_tightly(value: int) -> None:
    """A bucket is at most 1/1024 of its value wide, or one unit of 512 ns."""
    index = int(bucket_index(np.array([value]))[0])
    low, high = bucket_low_ns(index), bucket_high_ns(index)
    assert low <= value <= high
    assert high - low < max(512, value / 1_000)


@settings(max_examples=60)
@given(st.lists(SPREAD, min_size=1, max_size=40), st.sampled_from([1, 50, 90, 99, 99.9, 100]))
def test_percentile_bounds_the_exact_quantile(values: list[int], percentile: float) -> None:
    """A percentile is numpy's order statistic, rounded up within the precision."""
    exact = int(np.percentile(values, percentile, method="inverted_cdf"))
    found = Histogram.of(values).percentile_ns(percentile)
    assert found is not None
    assert exact <= found <= max(exact + 511, exact * 1.001)
    assert found <= max(values)


@pytest.mark.parametrize("percentile", [50.0, 90.0, 99.0, 99.9])
def test_percentile_is_hdr_histograms(percentile: float) -> None:
    """On a large sample it is HdrHistogram's own figure."""
    values = np.random.default_rng(3).lognormal(16, 1, 2_000).astype(np.int64)
    reference, _ = standard(values.tolist())
    assert Histogram.of(values).percentile_ns(percentile) == reference.get_value_at_percentile(
        percentile
    )


def test_ranks_are_exact() -> None:
    """P99.9 of 1000 is the 999th, although 99.9 / 100 * 1000 is above it in doubles."""
    values = [1_000_000 * (number + 1) for number in range(1_000)]
    histogram = Histogram.of(values)
    assert histogram.rank_of(99.9) == 999
    assert histogram.rank_of(100 / 3) == 334
    assert histogram.percentile_ns(99.9) == bucket_high_ns(
        int(bucket_index(np.array([values[998]]))[0])
    )


@given(VALUES)
def test_what_lies_outside_keeps_its_rank_and_its_sum(values: list[int]) -> None:
    """Nothing is clamped and nothing dropped: count, sum, minimum and maximum are exact."""
    histogram = Histogram.of(values)
    assert histogram.count == len(values)
    assert histogram.sum_ns == sum(values)
    if values:
        assert (histogram.min_ns, histogram.max_ns) == (min(values), max(values))
        bounds = [histogram.value_at_rank(rank) for rank in range(1, len(values) + 1)]
        for bound, value in zip(bounds, sorted(values), strict=True):
            assert bound is not None
            assert bound >= value
    else:
        assert histogram.percentile_ns(50) is None
        assert histogram.mean_ns is None


@settings(max_examples=60)
@given(VALUES, VALUES, VALUES)
def test_merging_laws(one: list[int], two: list[int], three: list[int]) -> None:
    """Any order and any grouping give the histogram of all values; nothing adds nothing."""
    a, b, c = Histogram.of(one), Histogram.of(two), Histogram.of(three)
    assert a + b == b + a
    assert (a + b) + c == a + (b + c) == Histogram.of(one + two + three)
    assert a + empty_histogram() == a


@settings(max_examples=60)
@given(VALUES, VALUES)
def test_taking_out_undoes_merging(one: list[int], two: list[int]) -> None:
    """What is left after taking a part out has the other part's counts and sum."""
    a, b = Histogram.of(one), Histogram.of(two)
    rest = (a + b).without(b)
    assert np.array_equal(rest.counts, a.counts)
    assert (rest.negative, rest.overflow, rest.sum_ns) == (a.negative, a.overflow, a.sum_ns)
    if a.count and not a.negative and not a.overflow:
        assert a.max_ns <= rest.max_ns <= max(a.max_ns + 511, a.max_ns * 1.001)


def test_taking_out_what_is_not_in_it_is_refused() -> None:
    """A mistake does not become a negative count."""
    with pytest.raises(ValueError, match="only be subtracted"):
        Histogram.of([1_000_000]).without(Histogram.of([2_000_000]))


@settings(max_examples=60)
@given(VALUES, st.integers(1, 20))
def test_tally_does_not_care_about_portions(values: list[int], size: int) -> None:
    """Recording in portions is recording at once."""
    tally = HistogramBuilder()
    for first in range(0, len(values), size):
        tally.record(np.array(values[first : first + size], dtype=np.int64))
    assert tally.histogram() == Histogram.of(values)


@given(st.lists(SPREAD, max_size=30), SPREAD)
def test_count_below_a_limit(values: list[int], limit: int) -> None:
    """Values of the limit's own bucket are not below it."""
    found = Histogram.of(values).count_below(limit)
    assert found <= sum(value < limit for value in values)
    assert found >= sum(value < limit * (1 - 1 / 1_000) - 512 for value in values)


@settings(max_examples=40)
@given(st.lists(SPREAD, max_size=40))
def test_encoding_is_the_standard_one(values: list[int]) -> None:
    """Our encoding is the very text that HdrHistogram makes, and it comes back whole."""
    histogram = Histogram.of(values)
    reference, _ = standard(values)
    text = histogram_encoding.encode(histogram)
    decoded = HdrHistogram.decode(text)
    assert decoded.get_total_count() == len(values)
    assert text == reference.encode().decode()
    back = histogram_encoding.decode(
        text, sum_ns=histogram.sum_ns, min_ns=histogram.min_ns, max_ns=histogram.max_ns
    )
    assert back == histogram


def test_decoding_without_exact_figures_uses_the_buckets() -> None:
    """Ends and sum are then those of the buckets."""
    back = histogram_encoding.decode(histogram_encoding.encode(Histogram.of([10_000_000])))
    assert back.min_ns <= 10_000_000 <= back.max_ns
    assert math.isclose(back.sum_ns, 10_000_000, rel_tol=1e-3)


@pytest.mark.parametrize("text", ["", "nonsense", "HISTFAAAAA=="])
def test_what_is_no_histogram_is_refused(text: str) -> None:
    """A broken encoding is broken evidence."""
    with pytest.raises(EvidenceError, match="not an encoded histogram"):
        histogram_encoding.decode(text)


def test_another_layout_is_refused() -> None:
    """Counts of other buckets are not taken for ours."""
    other = HdrHistogram(1, 1_000_000, 2)
    other.record_value(5)
    with pytest.raises(EvidenceError, match="another layout"):
        histogram_encoding.decode(other.encode().decode())


def test_log_is_read_by_the_reference_reader(tmp_path: Path) -> None:
    """Intervals come back with their tags and times, and their sum is the whole."""
    parts = [
        histogram_encoding.HistogramInterval(
            float(second), 1.0, "measure-lite-latency", Histogram.of([second * 10**6])
        )
        for second in range(1, 4)
    ]
    path = tmp_path / "a.hlog"
    path.write_text(histogram_encoding.format_histogram_log(parts), encoding="utf-8")
    total = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    reader = HistogramLogReader(str(path), total)
    starts = []
    while (found := reader.get_next_interval_histogram()) is not None:
        assert found.get_tag() == "measure-lite-latency"
        starts.append(found.get_start_time_stamp() / 1_000)
        total.add(found)
    reader.close()
    assert starts == [1.0, 2.0, 3.0]
    assert total.get_total_count() == 3


@given(st.integers(min_value=0, max_value=BUCKETS - 1))
def test_middles_lie_between_the_ends(index: int) -> None:
    """Computed for all buckets at once, they are those of each."""
    middle = (bucket_low_ns(index) + bucket_high_ns(index) + 1) // 2
    assert int(bucket_middles_ns()[index]) == middle


def test_layout_is_the_published_one() -> None:
    """Units and range are those of the docstring and of every stored histogram."""
    assert (LOWEST_NS, HIGHEST_NS, DIGITS) == (1_000, 3_600_000_000_000, 3)
    assert (LIMIT_NS, BUCKETS) == (2**42, 23 * 1024 + 1024)


def test_ends_of_what_lies_outside() -> None:
    """Below zero a bound is -1 or the maximum; above the layout it is the maximum."""
    below = Histogram.of([-500, -300])
    assert [below.value_at_rank(rank) for rank in (0, 1, 2, 3)] == [None, -300, -300, None]
    mixed = Histogram.of([-500, 1_000_000, LIMIT_NS, LIMIT_NS + 5])
    high_ns = bucket_high_ns(int(bucket_index(np.array([1_000_000]))[0]))
    assert [mixed.value_at_rank(rank) for rank in range(1, 5)] == [
        -1,
        high_ns,
        LIMIT_NS + 5,
        LIMIT_NS + 5,
    ]
    assert mixed.percentile_ns(100) == LIMIT_NS + 5
    assert empty_histogram().percentile_ns(100) is None
    assert empty_histogram()._figures() == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("limit", [LIMIT_NS - 1, LIMIT_NS, LIMIT_NS + 1, 1 << 60])
def test_limit_beyond_the_layout(limit: int) -> None:
    """What is inside is below it, what is above the layout is not; nothing is below zero."""
    mixed = Histogram.of([-5, -4, 1_000_000, LIMIT_NS])
    assert mixed.count_below(limit) == 3
    assert [mixed.count_below(one) for one in (-1, 0, 1, 512)] == [0, 0, 2, 2]


def test_ends_after_taking_out() -> None:
    """The whole's ends where they cannot be told better, and the buckets' ends where they can."""
    ms = 1_000_000
    whole = Histogram.of([ms, 5 * ms, 9 * ms])
    rest = whole.without(Histogram.of([ms, 9 * ms]))
    index = int(bucket_index(np.array([5 * ms]))[0])
    assert (rest.min_ns, rest.max_ns) == (bucket_low_ns(index), bucket_high_ns(index))
    same = whole.without(empty_histogram())
    assert (same.min_ns, same.max_ns) == (ms, 9 * ms)
    outside = Histogram.of([-7, 5 * ms, LIMIT_NS + 3])
    kept = outside.without(Histogram.of([5 * ms]))
    assert (kept.min_ns, kept.max_ns) == (-7, LIMIT_NS + 3)
    partly = Histogram.of([-7, ms, 5 * ms, LIMIT_NS + 3]).without(Histogram.of([ms]))
    assert (partly.min_ns, partly.max_ns) == (-7, LIMIT_NS + 3)


@pytest.mark.parametrize("part", [[-1, -2], [LIMIT_NS, LIMIT_NS], [1_000_000] * 2])
def test_taking_out_more_than_there_is_is_refused(part: list[int]) -> None:
    """One of each is taken out, two of any are not."""
    whole = Histogram.of([-1, 1_000_000, LIMIT_NS])
    assert whole.without(Histogram.of([-1, 1_000_000, LIMIT_NS])).count == 0
    with pytest.raises(ValueError, match="only be subtracted"):
        whole.without(Histogram.of(part))


def test_values_at_the_edges_of_the_layout() -> None:
    """Zero and the largest value lie inside; their neighbours do not. None of them is lost."""
    found = Histogram.of([0, LIMIT_NS - 1])
    assert (found.inside, found.negative, found.overflow) == (2, 0, 0)
    assert (found.min_ns, found.max_ns) == (0, LIMIT_NS - 1)
    out = Histogram.of([-1, LIMIT_NS])
    assert (out.inside, out.negative, out.overflow) == (0, 1, 1)


def test_counting_goes_on_from_a_histogram() -> None:
    """A tally of a histogram has its counts and ends, and shares no memory with it."""
    first = Histogram.of([-5, 2_000_000, LIMIT_NS + 1])
    tally = HistogramBuilder.of(first)
    assert tally.histogram() == first
    tally.record(np.array([3_000_000]))
    assert tally.histogram() == Histogram.of([-5, 2_000_000, LIMIT_NS + 1, 3_000_000])
    nothing = HistogramBuilder.of(empty_histogram())
    nothing.record(np.array([7_000_000]))
    assert (nothing.histogram().min_ns, nothing.histogram().max_ns) == (7_000_000, 7_000_000)
    with pytest.raises(ValueError, match="read-only"):
        first.counts[0] = 1
    assert len({first, Histogram.of([-5, 2_000_000, LIMIT_NS + 1])}) == 1
    assert first != Histogram.of([-5, 2_100_000, LIMIT_NS + 1])
    assert first != "a histogram"
    assert Histogram.of([2, 4]).mean_ns == 3.0


def test_the_last_bucket_is_no_overflow() -> None:
    """A duration in it is known by its bucket, whatever lies beyond the layout."""
    histogram = Histogram.of([LIMIT_NS - 1, LIMIT_NS + 5_000_000_000])
    assert histogram.value_at_rank(1) == LIMIT_NS - 1
    assert histogram.value_at_rank(2) == LIMIT_NS + 5_000_000_000


def test_equal_are_those_of_the_same_counts_and_figures() -> None:
    """Neither the same sum and ends alone, nor the same buckets alone."""
    millis = 1_000_000
    one = Histogram.of([millis, 4 * millis, 5 * millis, 10 * millis])
    assert one != Histogram.of([millis, 3 * millis, 6 * millis, 10 * millis])
    assert Histogram.of([millis]) != Histogram.of([millis + 1])
