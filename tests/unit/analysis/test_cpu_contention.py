"""Whether cores were fought over, from telemetry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.cpu_contention import measure_contention
from harness.analysis.paired_blocks import TrialBlock, plan_blocks
from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.clock import NS_PER_S


def blocks_of(pairs: int, seed: int = 1) -> tuple[TrialBlock, ...]:
    """Blocks of 10 s, of which 2 s at the start and 1 s at the end do not count."""
    return plan_blocks(pairs, 10 * NS_PER_S, 2 * NS_PER_S, NS_PER_S, seed, 0)


def telemetry_of(blocks: tuple[TrialBlock, ...], busy: float, **waited: float) -> Telemetry:
    """Busy and waiting as given in the counted parts of treatment blocks, 0.5 and 0 elsewhere."""
    at_s = tuple(float(second) for second in range(len(blocks) * 10 + 1))

    def track(name: str, inside: float, outside: float, limit: float | None = None) -> TimeSeries:
        spans = [
            (b.counted_ns / NS_PER_S, b.counted_end_ns / NS_PER_S) for b in blocks if b.is_treatment
        ]
        values = tuple(
            inside if any(first + 1 <= when <= last for first, last in spans) else outside
            for when in at_s
        )
        return TimeSeries(name, at_s, values, limit)

    tracks = [track("host.busy_cores", busy, 0.5, 2.0)]
    tracks += [
        track(f"service.{name.replace('_', '-')}.cpu_wait_cores", value, 0.0)
        for name, value in waited.items()
    ]
    return Telemetry({one.name: one for one in tracks}, present=True)


@given(pairs=st.integers(1, 8), seed=st.integers(0, 999), busy=st.floats(0, 2))
def test_only_counted_parts_of_the_blocks_that_were_asked_for(
    pairs: int, seed: int, busy: float
) -> None:
    """A sample across the edge of a counted part is left out."""
    blocks = blocks_of(pairs, seed)
    telemetry = telemetry_of(blocks, busy)
    treatment = measure_contention(telemetry, [b for b in blocks if b.is_treatment], set())
    baseline = measure_contention(telemetry, [b for b in blocks if not b.is_treatment], set())
    assert treatment is not None
    assert treatment.busy_cores == pytest.approx(busy)
    assert treatment.is_fought_over == (treatment.busy_cores >= 1.8)
    assert baseline is not None
    assert baseline.busy_cores == pytest.approx(0.5)


def test_the_disturber_does_not_count_as_the_system() -> None:
    """It waits for cores all the time, which is its purpose."""
    blocks = blocks_of(2)
    telemetry = telemetry_of(blocks, 2.0, redis=0.25, engine=0.5, python_agent_1=3.0)
    treatment = [b for b in blocks if b.is_treatment]
    found = measure_contention(telemetry, treatment, {"python-agent-1"})
    assert found is not None
    assert found.waited_cores == pytest.approx(0.75)


def test_without_telemetry_nothing_is_claimed() -> None:
    """A run may have none, and a kernel may not report it."""
    assert measure_contention(Telemetry(), blocks_of(2), set()) is None
    assert measure_contention(telemetry_of((), 1.0), blocks_of(2), set()) is None
