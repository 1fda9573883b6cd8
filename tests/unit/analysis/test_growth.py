"""The slope of Theil and Sen with its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from harness.analysis.resources.growth import (
    BLOCKS,
    block_means,
    disk_samples,
    growth_of,
    memory_samples,
    theil_sen,
)
from harness.analysis.resources.self_monitoring import HostSample, ProcessSample
from harness.analysis.resources.telemetry import Telemetry, TimeSeries

VALUES = st.lists(st.integers(0, 10**9), min_size=8, max_size=40)


@given(VALUES)
def test_the_slope_is_that_of_scipy(values: list[int]) -> None:
    """The median of all slopes; the bounds are no narrower than scipy's."""
    x, y = np.arange(len(values), dtype=np.float64), np.array(values, dtype=np.float64)
    slope, lower, upper = theil_sen(x, y)
    known = theilslopes(y, x, alpha=0.90)
    assert slope == pytest.approx(known.slope)
    assert lower <= slope <= upper
    assert lower <= known.low_slope + 1e-6
    assert upper >= known.high_slope - 1e-6


@given(VALUES, st.integers(-(10**6), 10**6), st.integers(0, 10**9))
def test_a_trend_is_added_to_the_slope(values: list[int], trend: int, base: int) -> None:
    """A level changes nothing; a straight line moves slope and bounds by its own slope."""
    x, y = np.arange(len(values), dtype=np.float64), np.array(values, dtype=np.float64)
    plain, moved = theil_sen(x, y), theil_sen(x, y + base + trend * x)
    assert moved == pytest.approx([one + trend for one in plain], rel=1e-6, abs=1e-3)


def test_each_bound_is_wrong_at_most_as_often_as_stated() -> None:
    """Of 400 noisy lines the true slope is beyond a bound in about 5 %: in 8 % at most."""
    draws = np.random.default_rng(3)
    x = np.arange(BLOCKS, dtype=np.float64)
    found = [theil_sen(x, 5 * x + draws.normal(0, 20, BLOCKS)) for _ in range(400)]
    assert sum(upper < 5 for _, _, upper in found) <= 32
    assert sum(lower > 5 for _, lower, _ in found) <= 32


def test_a_few_odd_points_do_not_move_it() -> None:
    """A file that is rewritten now and then, on top of a steady growth."""
    x = np.arange(BLOCKS, dtype=np.float64)
    y = 10 * x
    y[[3, 11, 19]] += 5_000
    slope, lower, upper = theil_sen(x, y)
    assert (slope, lower, upper) == (10, 10, 10)


def test_blocks_are_means_of_their_samples() -> None:
    """Samples outside of the time are left out, and blocks without one."""
    at = np.array([0.0, 10.0, 10.5, 12.0, 39.9, 40.0])
    times, means = block_means(at, np.array([9.0, 1.0, 3.0, 5.0, 7.0, 9.0]), 10.0, 40.0)
    assert times.tolist() == [10.25, 12.0, 39.9]
    assert means.tolist() == [2.0, 5.0, 7.0]


def test_growth_of_services_processes_and_files() -> None:
    """Per hour; the first tenth is left out; a subject with few samples is left out."""
    at_s = tuple(float(second) for second in range(600))
    steady = tuple(1e6 + 1_000 * second for second in range(600))
    names = ("service.engine.memory_private_bytes", "redis.aof_bytes", "service.engine.cpu_cores")
    series = {name: TimeSeries(name, at_s, steady) for name in names}
    few = "postgres.database_bytes"
    series[few] = TimeSeries(few, (1.0, 500.0), (1.0, 2.0))
    process = ProcessSample("S", 0, None, 0, 5_000)
    host = [HostSample(n * 10**9, 0, 0, 0, None, (), {}, {"swarm-0": process}) for n in range(600)]
    memory = memory_samples(Telemetry(time_series=series), host, 0)
    found = {one.subject: one for one in growth_of(memory, 0.0, 600.0)}
    assert set(found) == {"engine", "harness swarm-0"}
    assert found["engine"].bytes_per_h == pytest.approx(3.6e6)
    assert found["engine"].start_bytes == pytest.approx(1e6 + 1_000 * 69, abs=1_000)
    assert found["harness swarm-0"].bytes_per_h == 0
    disk = disk_samples(Telemetry(time_series=series))
    assert [one.subject for one in growth_of(disk, 0.0, 600.0)] == ["Redis AOF"]
