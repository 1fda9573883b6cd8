"""Changes of the level of a series: found where they are, and nowhere else."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import change_points
from harness.analysis.change_points import (
    FALSE_ALARM,
    RUNS_MIN,
    SIDE_MIN,
    Level,
    find_changes,
)


def levels(*values: float) -> list[Level]:
    """Runs with both bounds."""
    return [Level(value, value) for value in values]


def noisy(*parts: tuple[int, float], seed: int = 1, noise: float = 0.05) -> list[float]:
    """So many values about each level."""
    random = np.random.default_rng(seed)
    return [
        float(level * math.exp(noise * random.standard_normal()))
        for count, level in parts
        for _ in range(count)
    ]


def test_two_changes_are_found_where_they_are() -> None:
    """With their levels, their sizes and their directions."""
    first, second = find_changes(levels(*noisy((20, 40), (20, 60), (20, 30))))
    assert (first.index, second.index) == (20, 40)
    assert first.is_up
    assert not second.is_up
    assert first.ratio == pytest.approx(1.5, rel=0.1)
    assert second.ratio == pytest.approx(0.5, rel=0.1)
    assert first.p_value < 1e-6


def test_outliers_are_no_change() -> None:
    """Neither one night nor four in a row; the change beside them is found."""
    values = noisy((30, 40), (30, 60))
    values[10] *= 20
    for night in range(40, 40 + SIDE_MIN - 1):
        values[night] /= 5
    (change,) = find_changes(levels(*values))
    assert change.index == 30


@pytest.mark.parametrize("seed", range(10))
def test_a_change_needs_runs_on_both_sides(seed: int) -> None:
    """After the fifth night it is one; after the fourth not yet, whatever the night before is."""
    for nights, found in ((SIDE_MIN - 1, 0), (SIDE_MIN, 1)):
        assert len(find_changes(levels(*noisy((40, 40), (nights, 80), seed=seed)))) == found
        assert len(find_changes(levels(*noisy((nights, 80), (40, 40), seed=seed)))) == found


def test_least_number_of_runs_is_that_of_the_exact_test() -> None:
    """With one run less no split can be confirmed."""
    half = RUNS_MIN // 2
    assert 2 / math.comb(RUNS_MIN, half) < FALSE_ALARM / RUNS_MIN
    assert 2 / math.comb(RUNS_MIN - 1, half) > FALSE_ALARM / (RUNS_MIN - 1)
    step = noisy((half, 40), (half, 80))
    assert len(find_changes(levels(*step))) == 1
    assert find_changes(levels(*step[1:])) == ()


def test_small_changes_are_none() -> None:
    """However certain they are; a level at zero has a least absolute change."""
    assert find_changes(levels(*noisy((30, 40), (30, 41), noise=0.001))) == ()
    shares = levels(*[0.0] * 30, *[0.0005 + night * 1e-6 for night in range(30)])
    assert len(find_changes(shares)) == 1
    assert find_changes(shares, absolute_min=0.001) == ()


def test_equal_values_are_no_change() -> None:
    """Ties count against a change; a constant series has none."""
    assert find_changes(levels(*[40.0] * 60)) == ()
    mostly = [0.0] * 30 + [0.0, 0.02] * 15
    assert find_changes(levels(*mostly)) == ()


def test_bunched_regression_without_upper_bounds_is_found() -> None:
    """Lower bounds beyond the level before are enough; its estimates are not needed."""
    after = [Level(value, math.inf) for value in noisy((10, 90))]
    (change,) = find_changes([*levels(*noisy((30, 40))), *after])
    assert change.index == 30
    assert change.is_up


@pytest.mark.parametrize("first", [True, False])
def test_censored_runs_alone_are_no_change(first: bool) -> None:
    """Neither their beginning nor their end: their figures are lower, and their level is not."""
    values = noisy((60, 40))
    censored = [Level(0.6 * value, value) for value in values[:30]]
    certain = levels(*values[30:])
    assert find_changes([*censored, *certain] if first else [*certain, *censored]) == ()


@settings(max_examples=30)
@given(st.lists(st.integers(1, 1_000), max_size=80), st.sampled_from([0.125, 1024.0]))
def test_unit_changes_nothing(values: list[int], factor: float) -> None:
    """The same changes in us and in s; each has its runs on both sides, in order."""
    found = find_changes(levels(*values))
    edges = [0, *(one.index for one in found), len(values)]
    assert all(b - a >= SIDE_MIN for a, b in pairwise(edges)) or not found
    scaled = find_changes(levels(*(factor * value for value in values)))
    assert [one.index for one in scaled] == [one.index for one in found]


def cost_of(values: list[int], cuts: tuple[int, ...]) -> float:
    """What a partition is judged by."""
    parts = [values[a:b] for a, b in pairwise([0, *cuts, len(values)])]
    return sum(change_points._PENALTY - sum(part) ** 2 / len(part) for part in parts)


@settings(max_examples=50)
@given(st.lists(st.integers(-3, 3), min_size=10, max_size=22))
def test_partition_is_the_best_of_all(values: list[int]) -> None:
    """Of every partition into segments that are long enough."""
    every = [
        cuts
        for count in range(len(values) // SIDE_MIN)
        for cuts in combinations(range(SIDE_MIN, len(values) - SIDE_MIN + 1), count)
        if all(b - a >= SIDE_MIN for a, b in pairwise([0, *cuts, len(values)]))
    ]
    found = tuple(change_points._cut(np.array(values, float)))
    assert found in every
    least = min(cost_of(values, cuts) for cuts in every)
    assert cost_of(values, found) == pytest.approx(least)


def test_each_side_counts_with_what_speaks_against_a_change() -> None:
    """A lower bound of the higher level, an estimate of the lower one; equal values as well."""
    low, high = levels(*range(8)), levels(*range(10, 18))
    assert change_points._p_value(low, high) < 0.001
    assert change_points._p_value(low, [Level(value, 100) for value in range(8)]) == 1.0
    assert change_points._p_value([Level(value, 100) for value in range(8)], high) == 1.0
