"""Bringing a server's stamps onto the host's clock."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.clock_map import ClockMap, ClockSample, clock_maps, read_clock_samples

S = 1_000_000_000
UNIX_US = 1_800_000_000_000_000


def probe_of(mono_ns: int, *, drift_ppm: float, asked_ns: int, answered_ns: int) -> ClockSample:
    """A probe of a server whose clock drifts, with the two ways of unequal length."""
    true_us = UNIX_US + round(mono_ns * (1 + drift_ppm / 1e6)) // 1_000
    rtt_ns = asked_ns + answered_ns
    return ClockSample("postgres", mono_ns - asked_ns + rtt_ns // 2, true_us, rtt_ns)


@settings(max_examples=50)
@given(
    drift_ppm=st.floats(-100, 100),
    ways=st.lists(
        st.tuples(st.integers(10_000, 900_000), st.integers(10_000, 900_000)),
        min_size=2,
        max_size=40,
    ),
    at=st.floats(0, 1),
)
def test_error_stays_within_its_bound(
    drift_ppm: float, ways: list[tuple[int, int]], at: float
) -> None:
    """However unequal the two ways of a probe are, a mapped stamp is off by the bound at most."""
    probes = [
        probe_of(number * 5 * S, drift_ppm=drift_ppm, asked_ns=asked, answered_ns=answered)
        for number, (asked, answered) in enumerate(ways)
    ]
    clock = ClockMap(probes)
    true_ns = round(at * (len(probes) - 1) * 5 * S)
    stamp = UNIX_US + round(true_ns * (1 + drift_ppm / 1e6)) // 1_000
    mapped = int(clock.mono_ns(np.array([stamp], dtype=np.int64))[0])
    # Beyond the kept probes the offset is constant; the server drifts for two intervals at most.
    slack_ns = 20 * S * abs(drift_ppm) / 1e6 + 2_000
    assert abs(mapped - true_ns) <= clock.error_ns + slack_ns


def test_least_round_trip_wins() -> None:
    """Of one interval the probe with the least round trip counts."""
    slow = ClockSample("postgres", 1 * S, 1_000_000 + 400, 900_000)
    quick = ClockSample("postgres", 2 * S, 2_000_000, 20_000)
    facts = ClockMap([slow, quick]).facts
    assert (facts.kept, facts.offset_ns) == (1, 0)
    assert facts.error_ns == 11_000


def test_offset_is_interpolated_over_time() -> None:
    """Half way between two probes the offset is half way too."""
    probes = [ClockSample("p", 0, 0, 10), ClockSample("p", 100 * S, 100 * 1_000_000 - 40, 10)]
    clock = ClockMap(probes)
    middle = np.array([50 * 1_000_000 - 20], dtype=np.int64)
    assert abs(int(clock.mono_ns(middle)[0]) - 50 * S) <= 1_000
    assert clock.facts.drift_ppm == pytest.approx(0.4)
    assert clock.facts.steps == 0


@pytest.mark.parametrize("step_us", [-5_000, 5_000])
def test_step_is_found(step_us: int) -> None:
    """A clock that is set forward or back has stepped, whatever the drift."""
    probes = [
        ClockSample(
            "p", number * 5 * S, number * 5_000_000 + (step_us if number > 3 else 0), 10_000
        )
        for number in range(8)
    ]
    facts = ClockMap(probes).facts
    assert facts.steps == 1
    assert 2_000_000 < facts.step_max_ns < 5_000_000


def test_unreadable_lines_are_counted() -> None:
    """A line that is no probe is counted, not skipped silently."""
    good = {"server": "redis", "mono_ns": 1, "server_us": 2, "rtt_ns": 3}
    lines = [json.dumps(good), "", "{", json.dumps({"server": "redis"}), '{"server": null']
    probes, bad = read_clock_samples(lines)
    assert probes == (ClockSample("redis", 1, 2, 3),)
    assert bad == 3
    assert set(clock_maps(probes)) == {"redis"}


@pytest.mark.parametrize("name", ["mono_ns", "server_us", "rtt_ns"])
@pytest.mark.parametrize("value", [1 << 63, 1e999])
def test_moment_beyond_every_clock_is_no_probe(name: str, value: float) -> None:
    """A digit that was damaged must not break the reckoning."""
    line = json.dumps({"server": "redis", "mono_ns": 1, "server_us": 2, "rtt_ns": 3, name: value})
    assert read_clock_samples([line]) == ((), 1)


def test_map_needs_a_probe() -> None:
    """Without a probe nothing is known."""
    with pytest.raises(ValueError, match="needs a probe"):
        ClockMap([])
