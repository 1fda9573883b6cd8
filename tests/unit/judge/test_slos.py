"""Whether enough arrives, and the longest duration, from counts and histograms alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from harness.analysis.histogram import Histogram, HistogramBuilder
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, Metric
from harness.analysis.samples import SignalOutcome
from harness.analysis.series import Series
from harness.analysis.statistics import (
    ConfidenceInterval,
    EffectiveSample,
    estimate_effective_sample,
    percentile_interval,
)
from harness.contract.names import State
from harness.judge import objectives
from harness.judge.advice import format_longer_run
from harness.judge.check import CheckContext, CheckKind, CheckSpec
from harness.judge.inconclusive import HOST, INCONCLUSIVE_BY, OBSERVER
from harness.judge.objectives import _format_interval, _maximum, _percentile, _shown, check_arrival
from harness.judge.verdict import Verdict
from harness.scenario import Objective, Phase
from harness.scenario.objective_metrics import OBJECTIVE_METRICS

MS = 1_000_000
S = 1_000 * MS
PASS, FAIL, INVALID = Verdict.PASS, Verdict.FAIL, Verdict.INVALID
INCONCLUSIVE = Verdict.INCONCLUSIVE
# The host had no interference, and nothing was rejected.
_NO_PHASE = SimpleNamespace(bounds_ns=lambda _: None)
SPEC = CheckSpec("made_up", "made up", CheckKind.OBJECTIVE)
CASE = cast("CheckContext", SimpleNamespace(analysis=SimpleNamespace(timeline=_NO_PHASE)))


def arrival_of(account: SignalOutcomeCounts, *metrics: str) -> Verdict:
    """The verdict on a measured phase in a scenario with objectives of these metrics."""
    asked = [SimpleNamespace(measures=OBJECTIVE_METRICS[metric]) for metric in metrics]
    fake = SimpleNamespace(
        analysis=SimpleNamespace(
            signals=SimpleNamespace(outcomes={Phase.MEASURE: account}.__getitem__)
        ),
        scenario=SimpleNamespace(parsed_objectives=lambda: asked),
    )
    found = check_arrival(cast("CheckContext", fake))
    assert found.figures == {
        "attempted": account.attempted,
        "arrived": account.arrived,
        "rejected": account.rejected,
    }
    return found.status.verdict


def counts(
    simulated: int, rejected: int, stale: int = 0, stale_rejected: int = 0
) -> SignalOutcomeCounts:
    """Signals of a phase."""
    return SignalOutcomeCounts(
        outcomes={SignalOutcome.SIMULATED: simulated, SignalOutcome.REJECTED: rejected},
        rejected_by={State.INVARIANT_BROKEN: rejected},
        stale=stale,
        stale_rejected=stale_rejected,
    )


@pytest.mark.parametrize(
    ("account", "verdict"),
    [
        (counts(0, 0), PASS),
        (counts(1_000, 0), PASS),
        (counts(0, 1_000), FAIL),
        (counts(0, 1), FAIL),
        (counts(0, 10, stale=10, stale_rejected=10), INVALID),
        (counts(99_900, 100), PASS),
        (counts(70_000, 30_000), INCONCLUSIVE),
        (counts(70_000, 30_000, stale=30_000, stale_rejected=30_000), PASS),
    ],
)
def test_an_engine_must_simulate_something(account: SignalOutcomeCounts, verdict: Verdict) -> None:
    """Nothing at all is a FAIL, many rejections without an objective for them leave a doubt."""
    assert arrival_of(account, "latency") is verdict
    reported = PASS if verdict is INCONCLUSIVE else verdict
    assert arrival_of(account, "latency", "rejected") is reported
    assert arrival_of(account, "simulated") is reported


@pytest.mark.parametrize(
    ("rejected_by", "late", "verdict"),
    [
        ({State.STALE_DATA_ERROR: 517}, True, INVALID),
        ({State.STALE_DATA_ERROR: 517}, False, FAIL),
        ({State.STALE_DATA_ERROR: 500, State.INVARIANT_BROKEN: 17}, True, FAIL),
        ({State.STALE_DATA_ERROR: 500}, True, FAIL),
    ],
)
def test_signals_that_were_stale_because_they_were_late_say_nothing_of_the_engine(
    rejected_by: dict[State, int], late: bool, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them: to refuse late signals is right."""
    monkeypatch.setattr(objectives, "generator_was_late", lambda _: late)
    monkeypatch.setattr(objectives, "runs_explain_rejections", lambda *_: "")
    monkeypatch.setattr(objectives, "generator_advice", lambda _: "use a host with more cores")
    rejected = sum(rejected_by.values())
    outcomes = {SignalOutcome.REJECTED: rejected, SignalOutcome.LOST: 517 - rejected}
    account = SignalOutcomeCounts(outcomes, rejected_by=rejected_by)
    assert arrival_of(account, "latency") is verdict


def test_signals_stale_on_purpose_excuse_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rejections are not those of late signals."""
    monkeypatch.setattr(objectives, "generator_was_late", lambda _: True)
    account = SignalOutcomeCounts(
        {SignalOutcome.REJECTED: 600, SignalOutcome.LOST: 400},
        rejected_by={State.STALE_DATA_ERROR: 600},
        stale=600,
        stale_rejected=600,
    )
    assert arrival_of(account, "latency") is FAIL


def cell_of(latencies: list[int], unseen: list[int], censored: int) -> Cell:
    """A cell whose unseen signals are among its latencies; of them nothing else is known."""
    cell = Cell(censored=censored)
    least = [0 if one in unseen else one for one in latencies]
    for metric, values in (
        (Metric.LATENCY, latencies),
        (Metric.SERVICE, latencies),
        (Metric.LATENESS, latencies),
        (Metric.COMMITTED, least),
        (Metric.UNSEEN, unseen),
    ):
        cell.histograms[metric] = HistogramBuilder.of(Histogram.of(values))
    return cell


@pytest.mark.parametrize(
    ("metric", "longest_ms", "unseen", "censored", "verdict"),
    [
        ("latency", 400, False, 0, PASS),
        ("latency", 500, False, 0, FAIL),
        ("latency", 900, False, 1, FAIL),
        ("latency", 400, False, 1, INCONCLUSIVE),
        ("lateness", 400, False, 1, PASS),
        ("latency", 900, True, 0, INCONCLUSIVE),
        ("service", 900, True, 0, INCONCLUSIVE),
        ("lateness", 900, True, 0, FAIL),
    ],
)
def test_longest_duration(
    metric: str,
    longest_ms: int,
    unseen: bool,
    censored: int,
    verdict: Verdict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It must be below its limit, and known from either side; host interference leaves it open."""
    monkeypatch.setattr(objectives, "interference_explains_miss", lambda *_: None)
    latencies = [10 * MS, longest_ms * MS]
    cell = cell_of(latencies, latencies[1:] if unseen else [], censored)
    fake = SimpleNamespace(metric=metric, limit_ns=500 * MS, outside_faults=False)
    found = _maximum(SPEC, cast("Objective", fake), cell, CASE)
    assert found.status.verdict is verdict
    assert found.figures["max_ns"] == longest_ms * MS
    assert found.figures["limit_ns"] == 500 * MS
    if (metric, unseen) == ("service", True):
        assert found.figures[INCONCLUSIVE_BY] == OBSERVER
    monkeypatch.setattr(objectives, "interference_explains_miss", lambda *_: "a full disk")
    blamed = _maximum(SPEC, cast("Objective", fake), cell, CASE)
    assert blamed.status.verdict is (INCONCLUSIVE if verdict is FAIL else verdict)
    assert (blamed.figures[INCONCLUSIVE_BY] == HOST) is (verdict is FAIL)
    assert blamed.message.endswith("; a full disk") is (verdict is FAIL)
    fake.limit_ns = None
    assert _maximum(SPEC, cast("Objective", fake), cell, CASE).figures["limit_ns"] == 0


def test_a_lateness_has_no_unknown_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lower bound is that of its order statistics alone."""
    values = [int(n) * MS for n in np.random.default_rng(1).permutation(1_000) + 1]
    cell = cell_of(values, [], 0)
    series = Series()
    series.add(np.arange(1_000, dtype=np.int64) * MS, np.array(values, dtype=np.int64))
    cell.series[Metric.LATENESS] = series
    monkeypatch.setattr(objectives, "measured_ns", lambda *_: 10 * S)
    objective = cast(
        "Objective",
        SimpleNamespace(
            metric="lateness",
            limit_ns=5_000 * MS,
            percentile=50.0,
            outside_faults=False,
            stage=None,
        ),
    )
    case = cast("CheckContext", SimpleNamespace(confidence=0.95, is_interrupted=False))
    found = _percentile(SPEC, objective, cell, case)
    bound = percentile_interval(series.histogram(), 50.0, estimate_effective_sample(series, 50.0))
    assert bound is not None
    assert found.figures["lower_ns"] == bound.lower_ns


def test_time_proposed_is_rounded_to_what_one_would_ask_for() -> None:
    """Seconds below a minute, then whole minutes that are enough."""
    reported = [format_longer_run(ns).removeprefix("; run about ") for ns in (1, 59 * S, 61 * S)]
    assert reported == ["1 s longer", "59 s longer", "2 min longer"]


@pytest.mark.parametrize(
    ("bounds_ms", "shown_ms"),
    [((None, None), (None, None)), ((5, 9), (5, 9)), ((90, None), (30, None)), ((5, 90), (5, 30))],
)
def test_no_bound_is_shown_beyond_the_longest_duration(
    bounds_ms: tuple[int | None, int | None], shown_ms: tuple[int | None, int | None]
) -> None:
    """Rejections are judged as beyond every limit, and shown with the time that they had."""
    lower_ns, upper_ns = (None if one is None else one * MS for one in bounds_ms)
    found = ConfidenceInterval(
        99.0, 90 * MS, lower_ns, upper_ns, EffectiveSample(100, 100, 20, True)
    )
    shown = _shown(found, Histogram.of([10 * MS, 30 * MS]))
    assert (shown.lower_ns, shown.upper_ns) == tuple(one and one * MS for one in shown_ms)
    assert shown.estimate_ns == pytest.approx(30 * MS, rel=1e-3)


def test_bunches_are_reported_above_two_signals_to_an_independent_one() -> None:
    """Not at two."""
    for signals, reported in ((200, False), (201, True)):
        found = ConfidenceInterval(99.0, MS, MS, MS, EffectiveSample(signals, 100, 20, True))
        assert ("are clustered" in _format_interval(found)) is reported
