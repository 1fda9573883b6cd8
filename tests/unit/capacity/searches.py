"""Searches without a system: a truth decides each trial, and a folder keeps what was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.analysis.capacity.trials import Answer, SearchPlan, TrialRequest
from harness.analysis.measurement import LatencyBreakdownFigures
from harness.assessment.assess import Assessment
from harness.assessment.capacity import LatencyFigures, ServiceUse, TrialFigures
from harness.assessment.capacity_folder import CapacityFolder
from harness.clock import NS_PER_MS, ManualClock
from harness.diagnosis.answers import Diagnosis
from harness.evidence import atomic_files
from harness.evidence.run_folder import RunFolder, scenario_text
from harness.experiments import capacity
from harness.judge.grade import Grade
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario, load_scenario
from harness.scenario.capacity_axis import CapacityAxis, stage_of
from harness.stack.settings import ROOT

S = 1_000 * NS_PER_MS
PLAN = SearchPlan(start=200, minimum=10, maximum=5_000, confirmations=2)
VERDICTS = {
    Answer.MET: Verdict.PASS,
    Answer.BROKEN: Verdict.FAIL,
    Answer.UNDECIDED: Verdict.INCONCLUSIVE,
    Answer.INVALID: Verdict.INVALID,
}
# What a trial at a level answers; the number of the trial comes second.
Truth = Callable[[float, int], Answer]


def sharp(limit: float) -> Truth:
    """A system that keeps the objectives up to a level."""
    return lambda level, _: Answer.MET if level <= limit else Answer.BROKEN


def base() -> Scenario:
    """The scenario that is shipped."""
    return load_scenario(ROOT / "scenarios" / "capacity.toml")


class System:
    """Runs trials by a truth; a minute each. The answer of a trial lies in its folder.

    Args:
        truth: of the system.
        interrupted_at: number of the call that is interrupted; 0 for none.
    """

    def __init__(self, truth: Truth, interrupted_at: int = 0) -> None:
        self.clock = ManualClock()
        self.made: list[Scenario] = []
        self._truth = truth
        self._interrupted_at = interrupted_at

    def once(self, scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        """One trial."""
        if len(self.made) + 1 == self._interrupted_at:
            raise Interrupted(2)
        self.made.append(scenario)
        self.clock.sleep_ns(60 * S)
        number = scenario.seed - base().seed
        folder = RunFolder(within / f"trial-{number}")
        folder.path.mkdir()
        atomic_files.write_text(folder.scenario, scenario_text(scenario))
        rate = stage_of(scenario).rate_from
        answer = self._truth(rate, number)
        document = {"answer": answer.value, "t0_ns": 1, "observation_end_ns": 2}
        atomic_files.write_json(folder.run, document)
        atomic_files.write_json(folder.plan, {})
        return cast("Assessment", None), folder


def diagnosed(
    diagnosis: Diagnosis | None, splits: tuple[LatencyBreakdownFigures, ...] = ()
) -> SimpleNamespace:
    """An assessment, as far as the bottleneck needs one."""
    return SimpleNamespace(diagnosis=diagnosis, measurement=SimpleNamespace(splits=splits))


def use_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read answers from the folders that `System` writes."""

    def figures(
        scenario: Scenario,
        axis: CapacityAxis,
        request: TrialRequest,
        run: tuple[Any, RunFolder],
        elapsed_s: float,
    ) -> TrialFigures:
        del scenario, axis
        document = atomic_files.read_json(run[1].run)
        return figures_of(request, Answer(document["answer"]), run[1].run_id, elapsed_s)

    monkeypatch.setattr(capacity, "trial_figures", figures)
    monkeypatch.setattr(capacity, "assess", lambda *_, **__: diagnosed(None))


def figures_of(
    request: TrialRequest, answer: Answer, run_id: str, elapsed_s: float = 60.0
) -> TrialFigures:
    """A trial with these figures."""
    broken = answer is Answer.BROKEN
    estimate_ns = (900 if broken else 40) * NS_PER_MS
    return TrialFigures(
        number=request.number,
        run_id=run_id,
        level=request.level,
        purpose=request.purpose,
        part=request.part,
        attempt=request.attempt,
        agents=50,
        rate=request.level,
        sent=request.level,
        measured_s=request.length_s,
        elapsed_s=elapsed_s,
        verdict=VERDICTS[answer],
        answer=answer,
        p50_ns=5 * NS_PER_MS,
        latency=(
            LatencyFigures(
                objective="p99 < 500 ms",
                estimate_ns=estimate_ns,
                lower_ns=0.9 * estimate_ns,
                upper_ns=1.1 * estimate_ns,
                confidence=0.95,
                limit_ns=500 * NS_PER_MS,
            ),
        ),
        is_backlog_stable=not broken,
        backlog_growth=30.0 if broken else 0.0,
        backlog_max=1_000 if broken else 5,
        lateness_p99_ns=NS_PER_MS,
        services=(ServiceUse(name="engine", cpu_cores=3.8, cpu_limit_cores=4.0),),
        reasons=("p99 < 500 ms: P99 of latency is 900 ms",) if broken else (),
        grade=Grade(level="indicative", reasons=("too short",)),
    )


def new_folder(path: Path) -> CapacityFolder:
    """A folder of a search that has not begun."""
    return CapacityFolder.create(path, base(), 10**18)
