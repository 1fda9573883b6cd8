"""Durations: exact, and as objectives have them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Duration, ms, seconds, us
from harness.scenario import parse_objective
from harness.scenario.objective import LIMIT_MAX_NS, LIMIT_MIN_NS


@given(st.integers(LIMIT_MIN_NS, LIMIT_MAX_NS))
def test_text_is_an_exact_limit(value_ns: int) -> None:
    """What a message shows is what is compared."""
    assert parse_objective(f"p99 < {Duration(value_ns)}").limit_ns == value_ns


def test_units() -> None:
    """One value in each unit; they compare."""
    assert us(1_500) == ms(1.5) == Duration(1_500_000) < seconds(1) == ms(1_000)
    texts = [str(one) for one in (us(0), us(12.5), ms(12.5), ms(1_500), seconds(2))]
    assert texts == ["0 us", "12.5 us", "12.5 ms", "1500 ms", "2 s"]


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, True])
def test_what_is_no_duration(value: float) -> None:
    """An error, not a limit that always or never holds."""
    with pytest.raises(ValueError, match="not a duration"):
        ms(value)
