"""Interim analyses: a run under way looks for its verdict at planned times, and ends when decided.

What is decided here only ends the load. The verdict comes from the evidence, at the confidence of
one analysis, so that it holds whatever made the load end where it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.clock import NS_PER_S
from harness.contract.names import State
from harness.evidence.records import Mode
from harness.judge.decision import decide
from harness.judge.verdict import Verdict, worst
from harness.judge.words import duration
from harness.measure.histogram import LIMIT_NS
from harness.measure.series import Series
from harness.measure.statistics import effective_size, interim_confidence, interval
from harness.scenario import Objective, Scenario

# What observer and files may take before a signal counts as not arrived.
SLACK_NS = 2 * NS_PER_S
_Times = NDArray[np.int64]


class Finding(BaseModel):
    """What an analysis finds of one percentile.

    Attributes:
        objective: its text, with the mode where there are several.
        lower_ns: None without a lower bound, as `upper_ns`.
        effective: effective sample size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: str
    verdict: Verdict
    estimate_ns: int
    lower_ns: int | None
    upper_ns: int | None
    effective: int


class Analysis(BaseModel):
    """One interim analysis.

    Attributes:
        number: from 1 on.
        measured_s: length of the load that it covers.
        left_s: the most that the load goes on after it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    measured_s: float
    left_s: float
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """FAIL if one objective fails, PASS if all pass; else the load goes on."""
        return worst(finding.verdict for finding in self.findings)

    @property
    def is_decided(self) -> bool:
        """Whether more signals would change nothing."""
        return self.verdict in (Verdict.PASS, Verdict.FAIL)


def words_of(analysis: Analysis) -> str:
    """An analysis in one sentence."""
    finding = next(one for one in analysis.findings if one.verdict is analysis.verdict)
    upper = "no upper bound" if finding.upper_ns is None else duration(finding.upper_ns)
    lower = "no lower bound" if finding.lower_ns is None else duration(finding.lower_ns)
    said = (
        f"{finding.objective}: between {lower} and {upper},"
        f" effective sample size {finding.effective:,}"
    )
    after = f"after {analysis.measured_s:g} s"
    if analysis.is_decided:
        return f"decided {after} ({said})"
    return f"still undecided {after}, up to {analysis.left_s:g} s more ({said})"


class InterimAnalyses:
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
        latency_ns = np.where(simulated, seen_ns - intended_ns, LIMIT_NS - 1)
        self._final.append((intended_ns.copy(), modes.copy(), latency_ns))

    def take(self, now_ns: int) -> Analysis | None:
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
        return Analysis(
            number=self._made, measured_s=measured_s, left_s=left_s, findings=tuple(findings)
        )

    def _findings(
        self,
        objective: Objective,
        due: tuple[_Times, NDArray[Any]],
        final: tuple[_Times, NDArray[Any], _Times],
        measured_s: float,
    ) -> Iterator[Finding]:
        modes = [mode for mode in Mode if objective.mode in (None, mode.name.lower())]
        present = [mode for mode in modes if bool((due[1] == mode).any())]
        for mode in present:
            name = objective.text
            if objective.mode is None and len(present) > 1:
                name = f"{name} ({mode.name.lower()})"
            own = final[1] == mode
            times_ns, latency_ns = final[0][own], final[2][own]
            open_ns = _remaining(due[0][due[1] == mode], times_ns)
            series = Series()
            series.add(
                np.concatenate((times_ns, open_ns)) - self._t0_ns,
                np.concatenate((latency_ns, np.full(len(open_ns), LIMIT_NS - 1))),
            )
            yield finding_of(name, objective, series, measured_s, self._confidence)


def finding_of(
    name: str, objective: Objective, series: Series, measured_s: float, confidence: float
) -> Finding:
    """What a series of durations says of a percentile.

    Args:
        name: of the objective.
        objective: a percentile.
        series: at least one duration.
        measured_s: how long it took to gather them.
        confidence: of each bound.
    """
    percentile, histogram = objective.percentile or 50.0, series.histogram()
    effective = effective_size(series, percentile)
    found = interval(histogram, percentile, effective, confidence=confidence)
    if found is None:
        raise ValueError("a series without a signal")
    verdict = decide(
        found, objective.limit_ns or 0, histogram, round(measured_s * NS_PER_S), confidence
    ).verdict
    return Finding(
        objective=name,
        verdict=verdict,
        estimate_ns=found.estimate_ns,
        lower_ns=found.lower_ns,
        upper_ns=found.upper_ns,
        effective=effective.size,
    )


def _watched(scenario: Scenario) -> Iterator[Objective]:
    """What the load may end for: percentiles of latency, of all that is measured."""
    for objective in scenario.parsed_objectives():
        if objective.is_estimated and objective.is_latency_percentile:
            yield objective


def _joined(parts: Sequence[tuple[Any, ...]], columns: int) -> tuple[Any, ...]:
    if not parts:
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(columns))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _within(times_ns: _Times, start_ns: int, end_ns: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (times_ns >= start_ns) & (times_ns < end_ns)
    return inside


def _remaining(due_ns: _Times, ended_ns: _Times) -> _Times:
    """The times that are left of those due when each that has ended is taken out once."""
    times, counts = np.unique(due_ns, return_counts=True)
    ended, taken = np.unique(ended_ns, return_counts=True)
    at = np.searchsorted(times, ended)
    known = (at < len(times)) & (times[np.minimum(at, len(times) - 1)] == ended)
    np.subtract.at(counts, at[known], taken[known])
    left: _Times = np.repeat(times, np.maximum(counts, 0))
    return left
