"""Throughput under saturation: only seconds with work waiting count."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.measurement import ThroughputFigures
from harness.analysis.scaling.throughput import saturated_seconds, saturated_throughput


def second(start: int, simulated: int, in_flight: int) -> ThroughputFigures:
    """One second."""
    return ThroughputFigures(
        start_s=float(start),
        length_s=1.0,
        intended=0,
        sent=0,
        accepted=0,
        simulated=simulated,
        lateness_p99_ns=None,
        lateness_max_ns=None,
        in_flight=in_flight,
    )


def test_the_mean_of_the_saturated_seconds() -> None:
    """The first second has nothing waiting; the drain is not measured."""
    seconds = [second(0, 300, 0), *(second(n, 500 + 10 * (n % 2), 900) for n in range(1, 12))]
    own = saturated_seconds(seconds, [(1, 10)])
    # At the start of second 1 nothing was in flight.
    assert [one.start_s for one in own] == [2, 3, 4, 5, 6, 7, 8, 9]
    found = saturated_throughput(seconds, [(1, 10)])
    assert found is not None
    assert found.rate == pytest.approx(505)
    assert found.lower <= found.rate <= found.upper
    assert found.saturated_s == 8


def test_a_system_that_keeps_up_is_not_saturated() -> None:
    """Its throughput is what was asked for, and says nothing of what it could do."""
    seconds = [second(n, 500, 30) for n in range(20)]
    assert saturated_throughput(seconds, [(0, 20)]) is None


def test_a_short_saturation_is_none() -> None:
    """Four seconds of five."""
    seconds = [second(n, 500, 900) for n in range(5)]
    assert saturated_throughput(seconds, [(0, 5)]) is None


@settings(max_examples=20)
@given(st.lists(st.integers(1, 1000), min_size=6, max_size=30))
def test_the_rate_lies_between_the_slowest_and_the_fastest_second(counts: list[int]) -> None:
    """Whatever the counts are."""
    seconds = [second(n, count, 1000) for n, count in enumerate(counts)]
    found = saturated_throughput(seconds, [(0, len(counts))])
    assert found is not None
    assert min(counts[1:]) <= found.rate <= max(counts[1:])
