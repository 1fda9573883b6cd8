"""Latencies of a run under way, by phase, mode and bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.statistics import size_needed
from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.records import Mode
from harness.run.live.latency_histogram import BOUNDS_NS, LiveLatencyHistogram, measured_ranges
from harness.scenario import Load, Phase, Stage

SIGNALS = st.lists(
    st.tuples(
        st.integers(0, 30 * NS_PER_S),
        st.sampled_from(Mode),
        st.one_of(st.integers(0, 60 * NS_PER_S), st.sampled_from(BOUNDS_NS)),
    ),
    max_size=80,
)


def filled(
    signals: list[tuple[int, Mode, int]], histogram: LiveLatencyHistogram
) -> LiveLatencyHistogram:
    """Everything added, in batches of three."""
    for first in range(0, len(signals), 3):
        columns = np.array(signals[first : first + 3], np.int64).T
        histogram.add(*columns)
    return histogram


@given(SIGNALS)
def test_every_signal_is_in_one_bucket_of_its_own_phase_and_mode(
    signals: list[tuple[int, Mode, int]],
) -> None:
    """Up to each bound, and in sum, there are exactly those that are there."""
    measured = [(5 * NS_PER_S, 10 * NS_PER_S), (20 * NS_PER_S, 25 * NS_PER_S)]
    found = {
        (b.phase, b.mode): b for b in filled(signals, LiveLatencyHistogram(measured)).buckets()
    }
    groups: dict[tuple[str, str], list[int]] = {}
    for intended_ns, mode, latency_ns in signals:
        inside = any(start <= intended_ns < end for start, end in measured)
        phase = Phase.MEASURE if inside else Phase.WARMUP
        groups.setdefault((phase.value, mode.name.lower()), []).append(latency_ns)
    assert found.keys() == groups.keys()
    for key, latencies in groups.items():
        cumulative = np.cumsum(found[key].counts).tolist()
        assert cumulative[:-1] == [sum(v <= bound for v in latencies) for bound in BOUNDS_NS]
        assert cumulative[-1] == len(latencies)
        assert found[key].sum_ns == sum(latencies)


def test_the_warm_up_counts_until_something_is_measured() -> None:
    """A cold start has no part in the P99 that is shown of the measured load."""
    histogram = LiveLatencyHistogram([(NS_PER_S, 2 * NS_PER_S)])
    count = size_needed(99)
    filled([(0, Mode.LITE, 900 * NS_PER_MS)] * count, histogram)
    assert histogram.percentile_ns(99) == pytest.approx(900 * NS_PER_MS, rel=0.01)
    filled([(NS_PER_S, Mode.FULL, 5 * NS_PER_MS)], histogram)
    assert histogram.percentile_ns(99) is None, "one signal is too few for P99"
    filled([(NS_PER_S, Mode.FULL, 5 * NS_PER_MS)] * count, histogram)
    assert histogram.percentile_ns(99) == pytest.approx(5 * NS_PER_MS, rel=0.01)
    assert histogram.percentile_ns(50, Mode.FULL) == pytest.approx(5 * NS_PER_MS, rel=0.01)
    assert histogram.percentile_ns(99, Mode.LITE) == pytest.approx(900 * NS_PER_MS, rel=0.01)


def test_a_mode_that_there_is_not_does_no_harm() -> None:
    """A torn file is the judge's concern, not that of a running figure."""
    histogram = LiveLatencyHistogram()
    histogram.add(np.array([1]), np.array([77]), np.array([5]))
    assert histogram.buckets() == ()


def test_what_is_measured_lies_on_the_clock() -> None:
    """The load's stretches, from its start on."""
    stage = Stage(agents=1, rate_from=1.0, rate_to=1.0, duration_s=4.0)
    assert measured_ranges(Load(stages=(stage,), warmup_s=2.0), 100) == (
        (100 + 2 * NS_PER_S, 100 + 6 * NS_PER_S),
    )
