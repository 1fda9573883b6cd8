"""A trial in virtual time, judged by the code that judges a real one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.capacity.backlog import backlog_grows
from harness.analysis.capacity.search import Answer, TrialOutcome, TrialRequest
from harness.analysis.series import Series
from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.interim_analysis import estimate_percentile
from harness.judge.verdict import Verdict
from harness.scenario import parse_objective
from harness.scenario.load import analysis_times_s, confidence_of_each
from tests.studies.capacity.systems import LIMIT_S, System, Times

OBJECTIVE = parse_objective(f"p99 < {LIMIT_S * 1000:g} ms")
WARMUP_S = 5.0
# Between two trials the backlog is drained, and the system is proven idle.
IDLE_S = 3.0
_ANSWERS = {
    Verdict.PASS: Answer.MET,
    Verdict.FAIL: Answer.BROKEN,
    Verdict.INCONCLUSIVE: Answer.UNDECIDED,
}


@dataclass(frozen=True)
class VirtualTrial:
    """A trial and what it costs.

    Attributes:
        virtual_s: with warm-up, drain and proof of idleness.
    """

    outcome: TrialOutcome
    virtual_s: float


def run_trial(system: System, request: TrialRequest, rng: np.random.Generator) -> VirtualTrial:
    """Simulate a load, and look at it at the planned times until one decides."""
    end_s = WARMUP_S + request.until_decided_s
    arrivals = poisson(rng, request.level, end_s)
    latencies = system.latencies(rng, arrivals)
    series = _series(arrivals, latencies)
    times_s = analysis_times_s(request.length_s, request.until_decided_s)
    met, broken = (
        confidence_of_each(confidence, len(times_s))
        for confidence in (request.confidence, request.confidence_broken)
    )
    for time_s in times_s:
        part = series.before(round(time_s * NS_PER_S / NS_PER_MS))
        found = estimate_percentile("p99", OBJECTIVE, part, time_s, met)
        is_stable = not grows(arrivals, latencies, WARMUP_S + time_s)
        answer = _ANSWERS[found.verdict] if is_stable else Answer.BROKEN
        # What is no FAIL at the lower confidence is none at the higher one either.
        if is_stable and (answer is Answer.BROKEN or met > broken) and answer is not Answer.MET:
            answer = _ANSWERS[estimate_percentile("p99", OBJECTIVE, part, time_s, broken).verdict]
        if answer is not Answer.UNDECIDED:
            break
    outcome = TrialOutcome(
        request=request,
        answer=answer,
        is_backlog_stable=is_stable,
        measured_s=time_s,
        limit_ratio=found.estimate / (LIMIT_S * NS_PER_S),
    )
    sent = arrivals <= WARMUP_S + time_s
    drained_s = float((arrivals[sent] + latencies[sent]).max())
    return VirtualTrial(outcome, max(drained_s, WARMUP_S + time_s) + IDLE_S)


def poisson(rng: np.random.Generator, rate: float, length_s: float) -> Times:
    """Arrival times of a Poisson process; at least one."""
    times: Times = np.sort(rng.uniform(0, length_s, max(1, rng.poisson(rate * length_s))))
    return times


def grows(arrivals: Times, latencies: Times, until_s: float) -> bool:
    """Whether the backlog, observed once a second, grows up to a time."""
    times_s = np.arange(WARMUP_S, until_s + 0.5)
    return backlog_grows(times_s, backlog_at(arrivals, latencies, times_s))


def backlog_at(arrivals: Times, latencies: Times, times_s: Times) -> Times:
    """Signals sent and not yet final."""
    departures = np.sort(arrivals + latencies, kind="stable")  # sorted but for several servers
    sent = np.searchsorted(arrivals, times_s, side="right")
    backlog: Times = (sent - np.searchsorted(departures, times_s, side="right")).astype(np.float64)
    return backlog


def _series(arrivals: Times, latencies: Times) -> Series:
    measured = arrivals >= WARMUP_S
    series = Series()
    series.add(
        ((arrivals[measured] - WARMUP_S) * NS_PER_S).astype(np.int64),
        (latencies[measured] * NS_PER_S).astype(np.int64),
    )
    return series
