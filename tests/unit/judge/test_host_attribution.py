"""What may excuse a latency beyond its limit, and what is reported beside it."""

from __future__ import annotations

from itertools import accumulate
from types import SimpleNamespace
from typing import cast

import pytest

from harness.analysis.faults.fault_windows import FaultWindow
from harness.analysis.histogram import Histogram
from harness.analysis.phase_timeline import Timeline
from harness.analysis.recorder import Cell, Metric
from harness.analysis.statistics import ConfidenceInterval, EffectiveSample
from harness.judge.check import CheckContext
from harness.judge.inconclusive import generator_may_be_late, observer_may_be_slow
from harness.judge.objectives import _format_estimate, _format_interval
from harness.judge.scope import measured_ns
from harness.scenario import Objective, Phase

MS, S = 1_000_000, 1_000_000_000
FOUND = ConfidenceInterval(
    50.0, 900 * MS, 800 * MS, 1_000 * MS, EffectiveSample(100, 100, 20, True)
)
SLOW, FAST = Histogram.of([900 * MS] * 100), Histogram.of([10 * MS] * 100)


@pytest.mark.parametrize(
    ("metric", "committed", "doubt"),
    [
        (Metric.LATENCY, FAST, True),
        (Metric.LATENCY, SLOW, False),
        (Metric.LATENCY, Histogram.of([]), False),
        (Metric.LATENCY, Histogram.of([900 * MS] * 2), True),
        (Metric.SERVICE, FAST, True),
        (Metric.LATENESS, FAST, False),
    ],
)
def test_commit_times_may_excuse_a_latency(
    metric: Metric, committed: Histogram, doubt: bool
) -> None:
    """Only of what the observer saw, and only if they do not say FAIL as well."""
    fake = SimpleNamespace(slo_histogram={Metric.COMMITTED: committed}.__getitem__)
    found = FOUND
    if committed.count == 2:  # too few for a lower bound
        found = ConfidenceInterval(50.0, 900 * MS, None, None, EffectiveSample(2, 2, 20, True))
    assert observer_may_be_slow(cast("Cell", fake), metric, found, 500 * MS) is doubt


@pytest.mark.parametrize(
    ("metric", "service", "doubt"),
    [
        (Metric.LATENCY, FAST, True),
        (Metric.LATENCY, SLOW, False),
        (Metric.LATENCY, Histogram.of([]), False),
        (Metric.LATENESS, FAST, False),
    ],
)
def test_service_times_may_excuse_a_latency(
    metric: Metric, service: Histogram, doubt: bool
) -> None:
    """Where they keep the limit, the generator's lateness alone broke it."""
    fake = SimpleNamespace(slo_histogram={Metric.SERVICE: service}.__getitem__)
    assert generator_may_be_late(cast("Cell", fake), metric, FOUND, 500 * MS) is doubt
    exact = service.value_at_rank(service.count) or 0
    assert not generator_may_be_late(cast("Cell", fake), metric, FOUND, exact)


@pytest.mark.parametrize(
    ("stage", "outside", "expected"), [(None, False, 20), ("peak", False, 8), (None, True, 18)]
)
def test_measured_time(stage: str | None, outside: bool, expected: int) -> None:
    """Of the phase, of the stage, or of what lies outside of the windows of faults."""
    stages = (12 * S, 10 * S, 8 * S)
    phases = (Phase.MEASURE, Phase.WARMUP, Phase.MEASURE)
    timeline = Timeline(0, tuple(accumulate(stages, initial=0)), phases)
    # To the end of its last millisecond.
    fault = FaultWindow(5 * S, 7 * S - MS)
    fake = SimpleNamespace(
        analysis=SimpleNamespace(timeline=timeline, faults=SimpleNamespace(windows=(fault,))),
        plan=SimpleNamespace(load=SimpleNamespace(stage_numbers={"peak": (2,)}.__getitem__)),
    )
    objective = cast("Objective", SimpleNamespace(stage=stage, outside_faults=outside))
    assert measured_ns(cast("CheckContext", fake), objective) == expected * S


@pytest.mark.parametrize(("signals", "reported"), [(200, False), (201, True)])
def test_bunches_are_reported_beyond_two_signals_a_sample(signals: int, reported: bool) -> None:
    """Where batches were decorrelated; else the message says that they were not."""
    found = ConfidenceInterval(50.0, MS, MS, MS, EffectiveSample(signals, 100, 20, True))
    assert ("clustered" in _format_interval(found)) is reported
    correlated = ConfidenceInterval(50.0, MS, MS, None, EffectiveSample(signals, 100, 20, False))
    assert "clustered" not in _format_interval(correlated)


@pytest.mark.parametrize(("signals", "known"), [(298, False), (299, True)])
def test_a_percentile_is_known_from_its_least_sample_on(signals: int, known: bool) -> None:
    """Of a P99 that is 299 signals."""
    found = ConfidenceInterval(99.0, 900 * MS, None, None, EffectiveSample(signals, 10, 20, True))
    assert (_format_estimate(found) == "900 ms") is known
    assert ("at least 299 signals are needed" in _format_estimate(found)) is not known
