from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.statistics import size_needed
from harness.contract import trace_id
from harness.contract.names import State
from harness.evidence.records import ATTEMPT, SIGHTING, Mode, Records
from harness.run.live.abort_condition import ObjectiveCondition
from harness.run.live.figures import LiveFigures, LiveMatcher
from harness.scenario import SLO, Load, Stage

TAG = 9


def attempts(indices: Sequence[int], intended_ns: Sequence[int], tag: int = TAG) -> Records:
    """Attempts of agent 0."""
    records = np.zeros(len(indices), ATTEMPT)
    for record, index, intended in zip(records, indices, intended_ns, strict=True):
        record["trace_hi"], record["trace_lo"] = trace_id.pack(tag, 0, index)
        record["intended_ns"] = intended
    return records


def sightings(
    indices: Sequence[int], seen_ns: Sequence[int], state: State = State.SIMULATED
) -> Records:
    """Sightings of agent 0's signals."""
    records = np.zeros(len(indices), SIGHTING)
    for record, index, seen in zip(records, indices, seen_ns, strict=True):
        record["trace_hi"], record["trace_lo"] = trace_id.pack(TAG, 0, index)
        record["seen_ns"] = seen
        record["state"] = state
    return records


@given(
    st.lists(st.integers(10_000, 10**11), min_size=1, max_size=60),
    st.sampled_from([50.0, 90.0, 99.0, 100.0]),
    st.booleans(),
)
def test_percentiles_are_near_the_exact_ones(
    latencies: list[int], percentile: float, sighting_first: bool
) -> None:
    """Running percentiles lie within 1 % of the exact order statistic, in either order of files."""
    matcher = LiveMatcher()
    needed = size_needed(percentile) if percentile < 100 else 1
    latencies = latencies * -(-needed // len(latencies))
    indices = range(len(latencies))
    seen = sightings(indices, [5 + latency for latency in latencies])
    if sighting_first:
        matcher.add_observations(seen)
    matcher.add_attempts(attempts(indices, [5] * len(latencies)))
    if not sighting_first:
        matcher.add_observations(seen)
    exact = np.percentile(latencies, percentile, method="inverted_cdf")
    assert matcher.percentile_ns(percentile) == pytest.approx(exact, rel=0.01)
    assert (matcher.simulated, matcher.final, matcher.backlog) == (
        len(latencies),
        len(latencies),
        0,
    )


def test_percentile_of_too_few_signals_is_none() -> None:
    """299 signals are the minimum for P99."""
    matcher = LiveMatcher()
    matcher.add_attempts(attempts(range(299), [0] * 299))
    matcher.add_observations(sightings(range(298), [10**6] * 298))
    assert matcher.percentile_ns(99) is None
    assert matcher.percentile_ns(90) is not None
    matcher.add_observations(sightings([298], [10**6]))
    assert matcher.percentile_ns(99) is not None


def test_abort_conditions_receive_every_signal_but_the_stale() -> None:
    """In either order of files; and not any more once signals had to be forgotten."""
    load = Load(
        stages=(Stage(agents=1, rate_from=10.0, rate_to=10.0, duration_s=10.0),), warmup_s=0
    )
    slo = SLO(objective="max < 1 s", abort_on_fail=True)
    late, end_ns = 2 * 10**9, 60 * 10**9
    for sighting_first in (False, True):
        matcher = LiveMatcher(abort_conditions=[ObjectiveCondition(slo, load, 0)])
        due, seen = attempts([1, 2], [10**9, 10**9]), sightings([1, 2], [10**9 + 5, 10**9 + 5])
        if sighting_first:
            matcher.add_observations(seen)
        matcher.add_attempts(due)
        if not sighting_first:
            matcher.add_observations(seen)
        assert matcher.failed(end_ns) is None
        stale = attempts([3], [10**9])
        stale["stale"] = 1
        matcher.add_attempts(stale)
        assert matcher.failed(end_ns) is None
        matcher.add_attempts(attempts([4], [10**9]))
        matcher.add_observations(sightings([4], [10**9 + late]))
        assert matcher.failed(end_ns) is not None
    flooded = LiveMatcher(outstanding_max=1, abort_conditions=[ObjectiveCondition(slo, load, 0)])
    flooded.add_attempts(attempts([1, 2], [10**9, 10**9]))
    assert flooded.failed(end_ns) is None


def test_only_final_states_end_a_signal() -> None:
    """INIT leaves a signal outstanding; a rejection ends it without a latency."""
    matcher = LiveMatcher()
    matcher.add_attempts(attempts([1, 2, 3], [0, 0, 0]))
    matcher.add_observations(sightings([1, 2], [10, 10], State.INIT))
    matcher.add_observations(sightings([2], [20], State.STALE_DATA_ERROR))
    assert (matcher.final, matcher.simulated, matcher.backlog) == (1, 0, 2)
    assert matcher.percentile_ns(99) is None


def test_outstanding_signals_are_bounded() -> None:
    """A system that answers nothing does not fill the memory, and the backlog stays true."""
    matcher = LiveMatcher(outstanding_max=10)
    matcher.add_attempts(attempts(range(25), [0] * 25))
    assert (matcher.backlog, matcher.evicted) == (25, 15)


def test_files_are_followed_as_they_grow(tmp_path: Path) -> None:
    """Each update reads new records; torn records, absent files and other runs do no harm."""
    figures = LiveFigures(tmp_path, TAG)
    figures.update()
    (tmp_path / "journal").mkdir()
    journal, seen = tmp_path / "journal" / "attempts-0.bin", tmp_path / "sightings.bin"
    journal.write_bytes(attempts([1, 2], [0, 0]).tobytes() + attempts([7], [0], TAG + 1).tobytes())
    seen.write_bytes(sightings([1], [10**6]).tobytes() + b"torn")
    figures.update()
    assert (figures.simulated, figures.backlog) == (1, 1)
    seen.write_bytes(sightings([1, 2], [10**6, 10**6]).tobytes())
    figures.update()
    figures.update()
    assert (figures.simulated, figures.final, figures.backlog) == (2, 2, 0)


def test_summary_has_the_outcomes_and_the_oldest_open_signal() -> None:
    """Stale signals are in the figures like others; the oldest open one shows a stall at once."""
    matcher = LiveMatcher()
    stale = attempts([1], [10])
    stale["stale"], stale["mode"] = 1, Mode.FULL
    matcher.add_attempts(stale)
    matcher.add_attempts(attempts([2, 3], [20, 30]))
    assert matcher.summary(100).oldest_open_ns == 90
    matcher.add_observations(sightings([1, 3], [10**6, 10**6]))
    seen = matcher.summary(100)
    assert (seen.final, seen.simulated, seen.oldest_open_ns) == (2, 2, 80)
    assert [(b.phase, b.mode, sum(b.counts)) for b in seen.buckets] == [
        ("measure", "lite", 1),
        ("measure", "full", 1),
    ]
    assert [mode for mode, _ in seen.by_mode] == ["lite", "full"]
