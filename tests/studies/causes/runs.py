"""One run of a case, and what its diagnosis said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.assessment.assess import assess
from harness.diagnosis.answers import Answer, Diagnosis
from harness.evidence.run_folder import RunFolder
from tests.studies.causes.cases import KEYS, Case
from tests.studies.matrix.runs import run

_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a run.

    Attributes:
        verdict: of the run.
        seed: of the run.
        p99_ms: of the latency, signals that never arrived with the time they had; None where it is
            not known.
        asked: whether the diagnosis had to be asked for, because no objective was near its limit.
        diagnosis: what it said.
    """

    folder: Path
    verdict: str
    seed: int
    p99_ms: float | None
    asked: bool
    diagnosis: Diagnosis

    def answer(self, key: str) -> str:
        """The answer to a question; "none" where it was not asked."""
        questions = self.diagnosis.questions
        return next((str(one.answer) for one in questions if one.key == key), "none")

    @property
    def headline(self) -> str | None:
        """Key of the question that is the headline."""
        reported = self.diagnosis.headline
        return next((one.key for one in self.diagnosis.questions if one.message == reported), None)


def provoke(case: Case, reports: Path, options: Sequence[str] = ()) -> Found:
    """Run a case, and diagnose it whatever its latency.

    Args:
        case: what to run.
        reports: folder that this run has for itself.
        options: of the command line.
    """
    outcome = run(reports, scenario=case.path, options=options, telemetry=True)
    return read_found(outcome.folder)


def read_found(folder: Path, *, again: bool = False) -> Found:
    """What a run left behind.

    Args:
        folder: of the run.
        again: whether its evidence is diagnosed anew, although a diagnosis was stored.
    """
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    stored = result["diagnosis"]
    run_folder = RunFolder.open(folder)
    diagnosis = (
        assess(run_folder, on_demand=True).diagnosis
        if again or stored is None
        else Diagnosis.model_validate(stored)
    )
    assert diagnosis is not None, "asked for, and not made"
    return Found(
        folder=folder,
        verdict=result["verdict"],
        seed=run_folder.read_scenario().seed,
        p99_ms=_p99_ms(result),
        asked=stored is None,
        diagnosis=diagnosis,
    )


def problems_of(case: Case, found: Found) -> list[str]:
    """Why a diagnosis is not right; empty if it is."""
    if found.diagnosis.failed:
        return [found.diagnosis.failed]
    problems = []
    if found.headline != case.headline:
        said = found.diagnosis.headline
        problems.append(f"the headline is {found.headline}, not {case.headline}: {said}")
    for key in KEYS:
        wanted = Answer.YES if key in case.causes else Answer.NO
        # A cause may bring others with it, but nothing may be wrong where there is none.
        if found.answer(key) != wanted and (wanted is Answer.YES or not case.causes):
            problems.append(f"{key} is answered with {found.answer(key)}, not {wanted}")
    if found.asked and case.causes:
        problems.append(f"no objective was near its limit (P99 {found.p99_ms} ms)")
    return problems


def _p99_ms(result: Mapping[str, Any]) -> float | None:
    for check in result["judgement"]["checks"]:
        estimate_ns = check["figures"].get("estimate_ns")
        if check["id"].startswith("latency_p99") and estimate_ns is not None:
            return float(estimate_ns) / _NS_PER_MS
    return None
