"""Whether a backlog certainly grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.capacity.backlog import backlog_grows
from tests.studies.capacity.systems import System, mm1
from tests.studies.capacity.trials import grows, poisson


def share_growing(system: System, load: float, length_s: float, runs: int = 60) -> float:
    """Share of loads whose backlog is called growing; load as a share of saturation."""
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(runs):
        arrivals = poisson(rng, load * system.saturation, length_s + 5)
        found += grows(arrivals, system.latencies(rng, arrivals), length_s + 5)
    return found / runs


@settings(max_examples=30)
@given(
    slope=st.floats(1, 1e4),
    first=st.floats(0, 1e4),
    origin=st.floats(-1e5, 1e9),
    size=st.integers(40, 400),
)
def test_a_line_grows_wherever_it_starts(
    slope: float, first: float, origin: float, size: int
) -> None:
    """And the same line in reverse does not."""
    times = origin + np.arange(size, dtype=np.float64)
    noise = np.random.default_rng(1).normal(0, 0.1, size)
    backlog = first + slope * np.arange(size) + noise
    assert backlog_grows(times, backlog)
    assert not backlog_grows(times, backlog[::-1])


@pytest.mark.parametrize("backlog", [np.zeros(60), np.full(60, 7.0)])
def test_a_constant_backlog_does_not_grow(backlog: np.ndarray) -> None:
    """Zero included."""
    assert not backlog_grows(np.arange(60.0), backlog)


def test_too_little_was_observed() -> None:
    """Too short, or too few values."""
    times = np.arange(29.0)
    assert not backlog_grows(times, times * 100)
    assert backlog_grows(times, times * 100, window_least_s=20)
    assert not backlog_grows([], [])
    assert not backlog_grows([0.0, 100.0], [0.0, 100.0])


def test_times_and_values_have_the_same_number() -> None:
    """Else it is an error."""
    with pytest.raises(ValueError, match="3 times and 2 values"):
        backlog_grows([0, 1, 2], [0, 1])


@pytest.mark.parametrize("load", [0.5, 0.9, 0.98])
def test_a_stable_queue_rarely_grows(load: float) -> None:
    """Near its limit its backlog is a random walk, which has a slope but no drift."""
    assert share_growing(mm1(200), load, 60) <= 0.05


def test_an_overloaded_queue_grows() -> None:
    """By a fifth, seen within a minute."""
    assert share_growing(mm1(200), 1.2, 60) >= 0.95
