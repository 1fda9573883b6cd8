"""The pooled share of signals beyond a limit, against laws, published figures and a known truth."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.pooled_share import (
    RunShare,
    detectable_period_ns,
    pooled_share,
    runs_to_decide,
)


@st.composite
def run_shares(draw: st.DrawFn) -> RunShare:
    """Any run with a signal."""
    signals = draw(st.integers(1, 5_000))
    return RunShare(signals, draw(st.integers(0, signals)), draw(st.integers(0, signals)))


RUNS = st.lists(run_shares(), min_size=1, max_size=10)


@given(RUNS, st.randoms(use_true_random=False))
def test_bounds_hold_the_share_and_no_order_matters(runs: list[RunShare], random: object) -> None:
    """The bounds enclose the estimate, and rest on no more than the effective size of the runs."""
    found = pooled_share(runs)
    assert 0 <= found.lower <= found.share + 1e-9
    assert found.share - 1e-9 <= found.upper <= 1
    assert found.effective <= sum(run.effective for run in runs)
    mixed = list(runs)
    random.shuffle(mixed)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    assert pooled_share(mixed) == found


@given(RUNS, st.data(), st.floats(0.001, 0.5))
def test_more_signals_beyond_never_turn_fail_into_pass(
    runs: list[RunShare], data: st.DataObject, allowed: float
) -> None:
    """Whatever they do to the spread between runs."""
    worse = [
        RunShare(run.signals, data.draw(st.integers(run.beyond, run.signals)), run.effective)
        for run in runs
    ]
    before, after = pooled_share(runs), pooled_share(worse)
    assert not (before.lower >= allowed + 1e-9 and after.upper < allowed - 1e-9)


def test_equal_runs_have_the_interval_of_clopper_and_pearson() -> None:
    """299 without any beyond bound the share by 1 %; of 10 in 100, 5.53 to 16.37 %."""
    none = pooled_share([RunShare(1_000, 0, 100)] * 3)
    assert math.isclose(none.upper, 1 - 0.05 ** (1 / 300), rel_tol=1e-9)
    assert none.lower == 0.0
    some = pooled_share([RunShare(20, 2, 20)] * 5)
    assert math.isclose(some.lower, 0.0552602, rel_tol=1e-3)
    assert math.isclose(some.upper, 0.1637067, rel_tol=1e-3)


def test_one_run_with_all_the_slow_signals_is_one_event() -> None:
    """65 in one of ten runs: a design effect of 66, and t with 9 degrees of freedom."""
    found = pooled_share([RunShare(3_000, 65, 3_000), *[RunShare(3_000, 0, 3_000)] * 9])
    deff = 65 / (1 - found.share)
    assert math.isclose(found.effective, 30_000 / deff * (1.6449 / 1.833113) ** 2, rel_tol=1e-5)
    assert found.share < 0.01 < found.upper


def test_runs_that_differ_little_have_no_larger_size_than_each_alone() -> None:
    """The effective sample sizes within the runs are the ceiling."""
    runs = [RunShare(1_000, beyond, 50) for beyond in (10, 11, 10)]
    assert pooled_share(runs).effective == 150


def test_all_signals_beyond_the_limit_have_no_upper_bound() -> None:
    """The share may be 1; with no effective size it may be anything."""
    assert pooled_share([RunShare(10, 10, 10)] * 3).upper == 1.0
    nothing = pooled_share([RunShare(10, 0, 0)] * 3)
    assert (nothing.lower, nothing.upper) == (0.0, 1.0)


def test_horizon_is_missed_with_five_percent() -> None:
    """300 s without an event that comes every 100 s: exp(-3)."""
    assert math.isclose(
        math.exp(-300 / (detectable_period_ns(300 * 10**9) / 1e9)), 0.05, rel_tol=1e-9
    )


def test_runs_to_decide_grow_with_nearness() -> None:
    """The nearer the share is to the allowed one, the more runs; no number suffices if equal."""
    far, near, same = (pooled_share([RunShare(1_000, beyond, 200)] * 3) for beyond in (2, 7, 10))
    fewer, more = (runs_to_decide(one, 3, 0.01, 1_000) for one in (far, near))
    assert fewer is not None
    assert more is not None
    assert 3 < fewer < more
    assert runs_to_decide(same, 3, 0.01, 100) is None


def test_bounds_err_at_the_nominal_rate_where_events_are_rare() -> None:
    """Five events in a group of ten runs, each of 60 signals: true share 1 %."""
    rng = np.random.default_rng(7)
    below = above = 0
    for _ in range(1_000):
        events = rng.poisson(0.5, 10).tolist()
        found = pooled_share([RunShare(3_000, 60 * own, 3_000) for own in events])
        below += found.upper < 0.01
        above += found.lower > 0.01
    assert below <= 50
    assert above <= 50
