"""A stored run as a comparison reads it: its verdict, its fingerprint and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.comparison import RunValue
from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.resources.telemetry_reader import read_telemetry_file
from harness.assessment.assess import assess, build_result, facts_of
from harness.assessment.compared_figures import (
    FigureKey,
    PercentileKey,
    default_percentile,
    explaining_figures,
    percentiles_of,
)
from harness.assessment.fingerprint import Fingerprint, fingerprint_of
from harness.assessment.result import Result, ResultOutdatedError, read_result
from harness.clock import NS_PER_S
from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from harness.judge.check import CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status, Verdict
from harness.safe_open import RefusedError
from harness.scenario import Load, Objective


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run.

    Attributes:
        scenario: name of its scenario.
        commit: of the checkout that its services came from; empty where unknown.
        invalid: first check because of which it is no valid measurement; empty where it is one.
        objective: the percentile that its scenario is about.
        percentiles: those with an estimate or a lower bound, in ns.
        figures: what may explain a change; see `FigureKind`.
    """

    run_id: str
    scenario: str
    verdict: Verdict
    commit: str
    invalid: str
    fingerprint: Fingerprint
    objective: Objective
    percentiles: Mapping[PercentileKey, RunValue]
    figures: Mapping[FigureKey, float] = field(default_factory=dict)


def read_compared_run(folder: RunFolder) -> ComparedRun:
    """Read a run; its evidence is judged again where its stored result is not bound to it.

    Raises:
        EvidenceError: evidence that every run has is missing or unreadable.
    """
    result = _result(folder)
    asked, run, plan = folder.read_scenario(), folder.read_run(), folder.read_plan()
    load = run.actual_load(asked.load)
    environment = facts_of(folder, "environment")
    return ComparedRun(
        run_id=folder.run_id,
        scenario=asked.name,
        verdict=result.verdict,
        commit=_commit(environment),
        invalid=_invalid(result.judgement),
        fingerprint=fingerprint_of(asked, plan.contract, facts_of(folder, "stack"), environment),
        objective=default_percentile(asked),
        percentiles=percentiles_of(
            result.measurement,
            result.judgement,
            least_wait_ns=max(0, run.watched_until_ns - plan.t0_ns - _length_ns(load)),
        ),
        figures=explaining_figures(
            result.measurement,
            _telemetry(folder, plan.t0_ns),
            tuple((a / NS_PER_S, b / NS_PER_S) for a, b in load.measured_stretches_ns()),
        ),
    )


def _result(folder: RunFolder) -> Result:
    try:
        return read_result(folder)
    except ResultOutdatedError:
        return build_result(folder, assess(folder))


def _invalid(judgement: Judgement) -> str:
    """A FAIL wins over INVALID in the verdict, but the latency of such a run measures nothing."""
    for check in judgement.of(CheckKind.VALIDITY):
        if check.status is Status.INVALID:
            return f"{check.id}: {check.message}"
    return judgement.verdict.name if judgement.verdict is Verdict.INVALID else ""


def _length_ns(load: Load) -> int:
    return sum(round(stage.duration_s * NS_PER_S) for stage in load.timeline())


def _commit(environment: Mapping[str, Any]) -> str:
    commit = environment.get("commit")
    if not isinstance(commit, str):
        return ""
    return f"{commit[:12]}{'+' if environment.get('modified') else ''}"


def _telemetry(folder: RunFolder, t0_ns: int) -> Telemetry:
    try:
        return read_telemetry_file(folder.telemetry, t0_ns)
    except RefusedError:
        raise
    except EvidenceError:
        return Telemetry()
