"""The spread of several runs, against laws and a known truth."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.run_spread import excess_of, prediction_interval, runs_needed, spread_of

MS = 1_000_000
ESTIMATES = st.lists(st.integers(1, 10**11), min_size=2, max_size=12)


@given(ESTIMATES, st.randoms(use_true_random=False))
def test_order_of_runs_does_not_matter(values: list[int], random: object) -> None:
    """The order of the runs does not matter; the bounds contain the geometric mean."""
    spread = spread_of(values)
    mixed = list(values)
    random.shuffle(mixed)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    assert spread_of(mixed) == spread
    assert spread.min_ns <= spread.mean_ns * (1 + 1e-9)
    assert (spread.lower_ns is None) == (len(values) < 3)
    if spread.lower_ns is not None and spread.upper_ns is not None:
        middle = math.exp(math.fsum(math.log(value) for value in values) / len(values))
        assert spread.lower_ns <= middle * (1 + 1e-9)
        assert spread.upper_ns >= middle * (1 - 1e-9)


@given(st.lists(st.integers(1_000, 10**9), min_size=3, max_size=8), st.integers(2, 50))
def test_interval_follows_the_unit(values: list[int], factor: int) -> None:
    """In another unit the interval is the same."""
    small, large = spread_of(values), spread_of([value * factor for value in values])
    assert small.upper_ns is not None
    assert large.upper_ns is not None
    assert math.isclose(small.upper_ns * factor, large.upper_ns, rel_tol=1e-9)


def test_interval_is_students() -> None:
    """Three logarithms 0, 1, 2: t(0.95, 2) is 2.920, s is 1."""
    spread = spread_of([round(1e6), round(1e6 * math.e), round(1e6 * math.e**2)])
    assert spread.lower_ns is not None
    assert spread.upper_ns is not None
    half = 2.919986 / math.sqrt(3)
    assert math.isclose(math.log(spread.upper_ns / 1e6), 1 + half, rel_tol=1e-4)
    assert math.isclose(math.log(spread.lower_ns / 1e6), 1 - half, rel_tol=1e-3)


def test_bounds_err_at_the_nominal_rate() -> None:
    """Of many groups of five, each bound misses the typical run in about 5 %."""
    rng = np.random.default_rng(4)
    above = below = 0
    for _ in range(400):
        runs = rng.lognormal(math.log(100 * MS), 0.3, 5).astype(np.int64).tolist()
        spread = spread_of(runs)
        assert spread.lower_ns is not None
        assert spread.upper_ns is not None
        above += spread.lower_ns > 100 * MS
        below += spread.upper_ns < 100 * MS
    # Three standard deviations of a binomial of 400 with 5 % are 13.
    assert above <= 33
    assert below <= 33


def test_more_runs_are_needed_the_nearer_the_limit() -> None:
    """Near the limit more runs are needed; at the typical value no number suffices."""
    runs = [90 * MS, 100 * MS, 111 * MS]
    far, near = runs_needed(runs, 150 * MS), runs_needed(runs, 105 * MS)
    assert far is not None
    assert near is not None
    assert 3 < far <= near
    assert runs_needed([100 * MS, 50 * MS, 200 * MS], 100 * MS) is None


def test_excess_only_where_intervals_do_not_explain_it() -> None:
    """Wide intervals explain a spread, narrow ones do not, and unknown ones give no result."""
    runs = [10 * MS, 20 * MS, 40 * MS]
    assert excess_of(runs, [(value // 4, value * 4) for value in runs]) is None
    found = excess_of(runs, [(round(value * 0.95), round(value * 1.05)) for value in runs])
    assert found is not None
    assert found[0] > found[1]
    assert excess_of(runs, [(None, 1), (1, 2), (1, 2)]) is None
    assert excess_of(runs[:2], [(1, 2), (1, 2)]) is None


@given(ESTIMATES)
def test_prediction_contains_the_interval_of_the_mean(values: list[int]) -> None:
    """One more run varies more than the mean does."""
    spread, found = spread_of(values), prediction_interval(values)
    assert (found is None) == (spread.lower_ns is None)
    if found is not None and spread.lower_ns is not None and spread.upper_ns is not None:
        assert found[0] <= spread.lower_ns * (1 + 1e-9)
        assert found[1] >= spread.upper_ns * (1 - 1e-9)


def test_prediction_contains_one_more_run_with_its_confidence() -> None:
    """2,000 times four runs of one system, and a fifth one."""
    draws = np.exp(np.random.default_rng(5).normal(np.log(50 * MS), 0.3, (2_000, 5)))
    inside = 0
    for *runs, new in draws.astype(np.int64).tolist():
        found = prediction_interval(runs)
        assert found is not None
        inside += found[0] <= new <= found[1]
    assert abs(inside / 2_000 - 0.95) < 0.02
