"""Interim analyses: a run under way is analysed at planned times, and ends when decided.

What is decided here only ends the load. The verdict comes from the evidence, at the confidence of
one analysis, so that it holds whatever made the load end where it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import LIMIT_NS
from harness.analysis.series import Series
from harness.analysis.statistics import interim_confidence
from harness.clock import NS_PER_S
from harness.contract.names import State
from harness.evidence.records import Mode
from harness.judge.interim_analysis import (
    InterimAnalysis,
    InterimEstimate,
    estimate_percentile,
    estimate_share,
    is_share,
)
from harness.judge.scope import mode_name
from harness.scenario import Objective, Scenario

# Time for observer and files before a signal counts as not arrived.
SLACK_NS = 2 * NS_PER_S
_Times = NDArray[np.int64]


class InterimAnalyzer:
    """The analyses of a run under way, from what is journaled and seen.

    Args:
        scenario: of a load that ends when it is decided.
        t0_ns: start of the load.
    """

    def __init__(self, scenario: Scenario, t0_ns: int) -> None:
        self._objectives = tuple(_watched(scenario))
        self._confidence = interim_confidence(scenario.load)
        self._times_s = scenario.load.analysis_times_s()
        self._t0_ns = t0_ns
        self._start_ns = t0_ns + round(scenario.load.warmup_s * NS_PER_S)
        limits_ns = (one.limit_ns or 0 for one in self._objectives)
        self._patience_ns = max(limits_ns, default=0) + SLACK_NS
        self._due: list[tuple[_Times, NDArray[Any]]] = []
        self._final: list[tuple[_Times, NDArray[Any], _Times]] = []
        self._made = 0

    def due(self, intended_ns: _Times, modes: NDArray[Any]) -> None:
        """Signals were attempted; those that are to be refused as stale have no mode."""
        self._due.append((intended_ns.copy(), modes.copy()))

    def final(
        self, intended_ns: _Times, modes: NDArray[Any], seen_ns: _Times, states: NDArray[Any]
    ) -> None:
        """Signals were seen in a final state; what was rejected is beyond every limit."""
        simulated = states == State.SIMULATED
        latency_ns = np.where(simulated, seen_ns - intended_ns, LIMIT_NS)
        self._final.append((intended_ns.copy(), modes.copy(), latency_ns))

    def next_analysis(self, now_ns: int) -> InterimAnalysis | None:
        """The next analysis once it is due and its signals are final, or had their time."""
        if self._made >= len(self._times_s) or not self._objectives:
            return None
        measured_s = self._times_s[self._made]
        end_ns = self._start_ns + round(measured_s * NS_PER_S)
        if now_ns < end_ns:
            return None
        due_ns, due_modes = _joined(self._due, 2)
        final_ns, final_modes, latency_ns = _joined(self._final, 3)
        inside = _within(due_ns, self._start_ns, end_ns)
        ended = _within(final_ns, self._start_ns, end_ns)
        is_open = int(inside.sum()) > int(ended.sum())
        if is_open and now_ns < end_ns + self._patience_ns:
            return None
        self._made += 1
        findings = [
            finding
            for objective in self._objectives
            for finding in self._findings(
                objective,
                (due_ns[inside], due_modes[inside]),
                (final_ns[ended], final_modes[ended], latency_ns[ended]),
                measured_s,
            )
        ]
        left_s = self._times_s[-1] - measured_s
        if not findings:
            return None
        return InterimAnalysis(
            number=self._made, measured_s=measured_s, left_s=left_s, findings=tuple(findings)
        )

    def _findings(
        self,
        objective: Objective,
        due: tuple[_Times, NDArray[Any]],
        final: tuple[_Times, NDArray[Any], _Times],
        measured_s: float,
    ) -> Iterator[InterimEstimate]:
        if is_share(objective):
            yield self._share_finding(objective, due, final, measured_s)
            return
        modes = [mode for mode in Mode if objective.mode in (None, mode.name.lower())]
        present = [mode for mode in modes if bool((due[1] == mode).any())]
        for mode in present:
            name = mode_name(objective, mode, several=objective.mode is None and len(present) > 1)
            own = final[1] == mode
            times_ns, latency_ns = final[0][own], final[2][own]
            open_ns = _remaining(due[0][due[1] == mode], times_ns)
            series = Series()
            series.add(
                np.concatenate((times_ns, open_ns)) - self._t0_ns,
                np.concatenate((latency_ns, np.full(len(open_ns), LIMIT_NS))),
            )
            yield estimate_percentile(name, objective, series, measured_s, self._confidence)

    def _share_finding(
        self,
        objective: Objective,
        due: tuple[_Times, NDArray[Any]],
        final: tuple[_Times, NDArray[Any], _Times],
        measured_s: float,
    ) -> InterimEstimate:
        awaited_ns = due[0][due[1] < len(Mode)]
        ended = final[1] < len(Mode)
        marks_ns = final[0][ended & (final[2] >= LIMIT_NS)]
        if objective.metric == "simulated":
            marks_ns = np.concatenate((marks_ns, _remaining(awaited_ns, final[0][ended])))
        series, marks = self._times(awaited_ns), self._times(marks_ns)
        return estimate_share(objective, series, marks, measured_s, self._confidence)

    def _times(self, intended_ns: _Times) -> Series:
        series = Series()
        series.add(intended_ns - self._t0_ns, np.zeros(len(intended_ns), dtype=np.int64))
        return series


def _watched(scenario: Scenario) -> Iterator[Objective]:
    """What the load may end for: percentiles of latency, and shares of what arrives."""
    for objective in scenario.parsed_objectives():
        if objective.is_estimated and (objective.is_latency_percentile or is_share(objective)):
            yield objective


def _joined(parts: Sequence[tuple[Any, ...]], columns: int) -> tuple[Any, ...]:
    if not parts:
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(columns))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _within(times_ns: _Times, start_ns: int, end_ns: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (times_ns >= start_ns) & (times_ns < end_ns)
    return inside


def _remaining(due_ns: _Times, ended_ns: _Times) -> _Times:
    """The due times without those that have ended, each removed once."""
    times, counts = np.unique(due_ns, return_counts=True)
    ended, ended_counts = np.unique(ended_ns, return_counts=True)
    at = np.searchsorted(times, ended)
    known = (at < len(times)) & (times[np.minimum(at, len(times) - 1)] == ended)
    np.subtract.at(counts, at[known], ended_counts[known])
    left: _Times = np.repeat(times, np.maximum(counts, 0))
    return left
