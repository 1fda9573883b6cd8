"""The statistics of a comparison: laws of the ratio, its interval and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, ttest_ind

from harness.analysis import comparison
from harness.analysis.comparison import (
    RUNS_MAX,
    RUNS_MIN,
    ComparisonVerdict,
    RatioInterval,
    RunValue,
    decide_change,
    holm,
    mean_ratio,
    median_value,
    ratio_interval,
    runs_needed,
)
from harness.errors import Exit

SLOWER, FASTER = ComparisonVerdict.SLOWER, ComparisonVerdict.FASTER
SAME, CANNOT_TELL = ComparisonVerdict.SAME, ComparisonVerdict.CANNOT_TELL
FIGURES = st.floats(1e5, 1e10)
VALUES = st.builds(RunValue, FIGURES, st.booleans())
SIDES = st.lists(VALUES, min_size=1, max_size=8)
EXACT = st.lists(st.builds(RunValue, FIGURES), min_size=4, max_size=8)


def exact(*values: float) -> list[RunValue]:
    """Figures that are known."""
    return [RunValue(value) for value in values]


def verdict(base: Sequence[RunValue], new: Sequence[RunValue]) -> ComparisonVerdict:
    """With the usual margin."""
    return decide_change(ratio_interval(base, new))


@pytest.mark.parametrize(("base", "new"), [(4, 4), (4, 5), (5, 5), (6, 9), (8, 8)])
def test_the_interval_excludes_no_change_where_the_exact_test_does(base: int, new: int) -> None:
    """Of both, in every order of the runs: its bounds are those of the rank-sum test at 5 %."""
    orders = list(combinations(range(base + new), new))
    chosen = np.random.default_rng(1).permutation(len(orders))[:150]
    for order in (orders[number] for number in chosen):
        values = np.exp(0.1 + np.arange(base + new))
        others = [values[n] for n in range(base + new) if n not in order]
        own = [values[n] for n in order]
        found = ratio_interval(exact(*others), exact(*own))
        assert found.lower is not None
        assert found.upper is not None
        p_value = mannwhitneyu(own, others, method="exact").pvalue
        assert (found.lower > 1 or found.upper < 1) == (p_value <= 0.05)


@pytest.mark.parametrize(("base", "new"), [(4, 4), (5, 5), (4, 7), (6, 6)])
def test_alarms_without_a_change_are_five_percent_at_most(base: int, new: int) -> None:
    """Of runs of one system every order is equally likely, whatever their distribution."""
    values = np.random.default_rng(2).lognormal(0, 3, base + new)
    alarms = orders = 0
    for order in combinations(range(base + new), new):
        others = [values[n] for n in range(base + new) if n not in order]
        found = verdict(exact(*others), exact(*(values[n] for n in order)))
        alarms += found in (SLOWER, FASTER)
        orders += 1
    assert 0 < alarms <= 0.05 * orders


@pytest.mark.parametrize(("base", "new"), [(1, 1), (3, 3), (3, 4), (2, 7)])
def test_too_few_runs_have_no_interval(base: int, new: int) -> None:
    """Even the most extreme order is too likely by chance; the ratio is estimated all the same."""
    found = ratio_interval(exact(*range(1, base + 1)), exact(*range(10, 10 + new)))
    assert (found.lower, found.upper) == (None, None)
    assert found.estimate_least == found.estimate_most
    assert decide_change(found) is CANNOT_TELL


def test_the_least_number_of_runs_has_an_interval() -> None:
    """4 + 4 runs in the most extreme order decide."""
    found = ratio_interval(exact(1, 2, 3, 4), exact(10, 11, 12, 13))
    assert found.lower == pytest.approx(10 / 4)
    assert found.upper == pytest.approx(13)
    assert decide_change(found) is SLOWER
    assert RUNS_MIN == 4


def test_the_normal_approximation_continues_the_exact_ranks() -> None:
    """At the size where one gives way to the other they differ by a rank or two."""
    pairs = comparison._EXACT_PAIRS_MAX
    size = math.isqrt(pairs)
    below = np.cumsum(comparison._rank_sum_probabilities(size, size))
    exact_rank = int(np.searchsorted(below, 0.025, side="right"))
    normal = math.floor(pairs / 2 - 1.959964 * math.sqrt(pairs * (2 * size + 1) / 12))
    assert abs(exact_rank - normal) <= 2
    assert comparison._differences_outside(size + 1, size + 1) > exact_rank


@given(SIDES, SIDES)
def test_swapping_the_sides_inverts_everything(base: list[RunValue], new: list[RunValue]) -> None:
    """SLOWER becomes FASTER, and each bound the inverse of the other."""
    found, other = ratio_interval(base, new), ratio_interval(new, base)

    for own, inverse in (
        (found.lower, other.upper),
        (found.upper, other.lower),
        (found.estimate_least, other.estimate_most),
        (found.estimate_most, other.estimate_least),
    ):
        assert (own is None) == (inverse is None)
        assert own is None or inverse is None or own * inverse == pytest.approx(1, rel=1e-6)


@given(EXACT, EXACT, st.floats(0.01, 100))
def test_the_unit_does_not_matter(base: list[RunValue], new: list[RunValue], factor: float) -> None:
    """Both sides in another unit have the same ratio."""
    found = ratio_interval(base, new)
    scaled = ratio_interval(*([RunValue(one.value * factor) for one in s] for s in (base, new)))
    assert scaled.lower == pytest.approx(found.lower, rel=1e-6)
    assert scaled.upper == pytest.approx(found.upper, rel=1e-6)


@given(SIDES, SIDES)
def test_estimate_lies_within_its_interval(base: list[RunValue], new: list[RunValue]) -> None:
    """Where each is bounded."""
    found = ratio_interval(base, new)
    ordered = [found.lower, found.estimate_least, found.estimate_most, found.upper]
    known = [one for one in ordered if one is not None]
    assert known == sorted(known)


@given(EXACT, EXACT, st.data())
def test_a_lower_bound_never_hides_that_new_is_slower(
    base: list[RunValue], new: list[RunValue], data: st.DataObject
) -> None:
    """New figures that are only bounded below leave SLOWER as it is, and make nothing FASTER."""
    which = data.draw(st.sets(st.integers(0, len(new) - 1)))
    censored = [RunValue(one.value, n in which) for n, one in enumerate(new)]
    before, after = verdict(base, new), verdict(base, censored)
    assert (after is SLOWER) == (before is SLOWER)
    assert after is not FASTER or before is FASTER
    assert after is not SAME or before is SAME


@given(EXACT, EXACT, st.data())
def test_bounds_hold_whatever_the_true_figures_are(
    base: list[RunValue], new: list[RunValue], data: st.DataObject
) -> None:
    """An interval with lower bounds holds that of any true figures; so does the estimate."""

    def hidden(values: list[RunValue]) -> list[RunValue]:
        shares = data.draw(st.lists(st.floats(0.01, 1), min_size=len(values), max_size=len(values)))
        return [
            RunValue(one.value * share, is_lower_bound=share < 1)
            for one, share in zip(values, shares, strict=True)
        ]

    true, found = ratio_interval(base, new), ratio_interval(hidden(base), hidden(new))
    assert true.lower is not None
    assert true.upper is not None
    assert true.estimate_least is not None
    slack = 1 + 1e-9
    assert (found.lower or 0) <= true.lower * slack
    assert (found.upper or math.inf) * slack >= true.upper
    assert (found.estimate_least or 0) <= true.estimate_least * slack
    assert (found.estimate_most or math.inf) * slack >= true.estimate_least


def test_bunched_runs_without_an_upper_bound_are_slower() -> None:
    """The runs that a trend over upper bounds skips: the worst there are."""
    base = exact(10, 11, 12, 13, 14)
    worst = [RunValue(one, is_lower_bound=True) for one in (500, 510, 520, 530, 540)]
    found = ratio_interval(base, worst)
    assert found.upper is None
    assert decide_change(found) is SLOWER
    assert verdict(worst, base) is FASTER
    assert verdict(worst, worst) is CANNOT_TELL


@pytest.mark.parametrize(
    ("lower", "estimate", "upper", "expected"),
    [
        (0.95, 1.0, 1.05, SAME),
        (1.01, 1.03, 1.09, SAME),  # certainly slower, and certainly by less than matters
        (1.01, 1.05, 1.15, CANNOT_TELL),  # slower, and it may or may not matter
        (1.01, 1.2, 1.4, SLOWER),
        (0.99, 1.2, 1.4, CANNOT_TELL),
        (1.2, 1.3, None, SLOWER),
        (0.7, 0.8, 0.99, FASTER),
        (None, 0.8, 0.99, FASTER),
        (0.7, 0.95, 0.99, CANNOT_TELL),
        (None, 1.0, None, CANNOT_TELL),
        (1 / 1.1, 1.0, 1.1, SAME),
    ],
)
def test_each_verdict_has_its_interval(
    lower: float | None, estimate: float, upper: float | None, expected: ComparisonVerdict
) -> None:
    """At a margin of 10 %."""
    assert decide_change(RatioInterval(estimate, estimate, lower, upper), 0.1) is expected


@given(
    st.tuples(*[st.floats(0.1, 10)] * 3).map(sorted),
    st.floats(0.01, 2),
)
def test_a_wider_margin_never_makes_slower_of_the_same(found: list[float], margin: float) -> None:
    """And what is SLOWER at a wide margin is not SAME at a narrow one."""
    interval = RatioInterval(found[1], found[1], found[0], found[2])
    wide, narrow = decide_change(interval, margin), decide_change(interval, margin / 2)
    if narrow is SAME:
        assert wide is SAME
    if wide in (SLOWER, FASTER):
        assert narrow is wide


def test_exit_codes_are_those_of_ci() -> None:
    """0 for what may be merged, 1 for slower, 3 and 4 where nothing is known."""
    codes = {one: one.exit_code for one in ComparisonVerdict}
    assert codes == {
        SLOWER: Exit.FAIL,
        FASTER: Exit.PASS,
        SAME: Exit.PASS,
        CANNOT_TELL: Exit.INCONCLUSIVE,
        ComparisonVerdict.INVALID: Exit.INVALID,
    }


def test_runs_needed_shrink_the_interval_to_a_verdict() -> None:
    """Twice as wide as needed takes four times the runs, towards either verdict."""
    apart = RatioInterval(1.5, 1.5, 1.5**-1, 1.5**3)  # half width is twice the distance from 1
    assert runs_needed(apart, 5, 5) == 20
    near = RatioInterval(1.0, 1.0, 1.1**-3, 1.1**3)
    assert runs_needed(near, 5, 5) == 45
    assert runs_needed(near, 4, 6) == math.ceil(9 * 4.8)


@pytest.mark.parametrize(
    "interval",
    [
        RatioInterval(1.2, 1.2, 0.9, None),
        RatioInterval(1.2, None, 0.9, None),
        RatioInterval(1.0999, 1.0999, 0.01, 100.0),  # more runs than anyone makes
    ],
)
def test_no_number_of_runs_is_claimed_where_none_follows(interval: RatioInterval) -> None:
    """Unbounded, or beyond the limit."""
    assert runs_needed(interval, 5, 5) is None


@given(EXACT, EXACT)
def test_runs_needed_are_more_than_there_are(base: list[RunValue], new: list[RunValue]) -> None:
    """Of an open comparison, and bounded."""
    found = ratio_interval(base, new)
    needed = runs_needed(found, len(base), len(new))
    if decide_change(found) is CANNOT_TELL and needed is not None:
        assert min(len(base), len(new)) < needed <= RUNS_MAX


@given(
    st.lists(st.floats(1, 1e6), min_size=3, max_size=8),
    st.lists(st.floats(1, 1e6), min_size=3, max_size=8),
)
def test_mean_ratio_is_welchs(base: list[float], new: list[float]) -> None:
    """The p-value of scipy's own test of the logarithms."""
    logs = [np.log(side) for side in (new, base)]
    if min(np.ptp(side) for side in logs) < 1e-3:
        return
    found = mean_ratio(base, new)
    expected = ttest_ind(*logs, equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    interval = expected.confidence_interval(0.95)
    assert found.lower == pytest.approx(math.exp(interval.low), rel=1e-6)
    assert found.upper == pytest.approx(math.exp(interval.high), rel=1e-6)


def test_figures_without_any_spread_differ_or_do_not() -> None:
    """There is no t without a spread."""
    assert mean_ratio([5.0, 5.0], [5.0, 5.0]).p_value == 1.0
    found = mean_ratio([5.0, 5.0], [10.0, 10.0])
    assert found.p_value == 0.0
    assert found.lower == found.upper == pytest.approx(2)


def test_holm_is_the_published_procedure() -> None:
    """Smallest times their number, never below a smaller one, 1 at most; in the given order."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == pytest.approx((1.0, 1.0))
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=10))
def test_holm_keeps_the_order_and_only_raises(p_values: list[float]) -> None:
    """As every adjustment of p-values does."""
    adjusted = holm(p_values)
    for own, other in zip(p_values, adjusted, strict=True):
        assert own <= other + 1e-12 <= 1 + 1e-9
    assert sorted(adjusted) == [adjusted[n] for n in np.argsort(p_values, kind="stable")]


def test_median_of_lower_bounds_is_one() -> None:
    """Unless the bounded ones lie above it whatever they are."""
    for others, bound, is_bound in (
        ((1, 2), RunValue(9), False),
        ((1, 2), RunValue(9, is_lower_bound=True), False),
        ((2, 9), RunValue(1, is_lower_bound=True), True),
    ):
        found = median_value([*exact(*others), bound])
        assert found.value == pytest.approx(2)
        assert found.is_lower_bound is is_bound
