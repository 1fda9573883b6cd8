"""The trend test: its sign, its symmetries, and how often it errs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.scaling.trend import trend_of

LEVELS = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]


def test_what_always_rises_has_tau_one() -> None:
    """And the smallest p-value that the permutations can have."""
    found = trend_of(LEVELS, [float(level) for level in LEVELS], 1)
    assert found.tau == 1
    assert found.p_value == pytest.approx(1 / 500)


@given(st.lists(st.floats(0.1, 100), min_size=15, max_size=15), st.integers(0, 9))
@settings(max_examples=8, deadline=None)
def test_the_other_way_round_the_sign_changes_only(results: list[float], seed: int) -> None:
    """Falling is rising of the negative; monotone changes of the results change nothing."""
    one = trend_of(LEVELS, results, seed)
    falling = trend_of(LEVELS, [-value for value in results], seed)
    assert falling.tau == -one.tau
    assert falling.p_value == one.p_value
    assert -1 <= one.tau <= 1
    assert 0 < one.p_value <= 1


def test_without_a_trend_it_errs_as_often_as_stated() -> None:
    """A p-value below 10 % in about 10 % of experiments."""
    random = np.random.default_rng(2)
    low = sum(trend_of(LEVELS, random.random(15).tolist(), 0).p_value < 0.1 for _ in range(100))
    assert 2 <= low <= 20


def test_one_level_has_no_trend() -> None:
    """No pair of runs differs in its level."""
    assert trend_of([3, 3, 3], [1, 2, 3], 0).p_value == 1
