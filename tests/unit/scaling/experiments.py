"""Experiments without a system: a law gives the figure of each run, which lies in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.assessment.scale_folder import ScaleFolder, ScaleProgress
from harness.assessment.scale_result import CellStatus
from harness.assessment.scaling import RunFigure
from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from harness.experiments.scale import CellMeasure
from harness.judge.grade import Grade
from harness.judge.verdict import Verdict
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario, load_scenario
from harness.scenario.experiment import Experiment
from harness.stack.settings import ROOT

GRADE = Grade(level="indicative", reasons=("a test",))
# The figure of a scenario; the number of the run comes second.
Law = Callable[[Scenario, int], RunFigure]


def experiment(**changes: Any) -> Experiment:
    """Workers 1 to 5, three runs each, with some keys changed."""
    keys = {
        "name": "workers",
        "about": "throughput against workers",
        "base": "scenarios/smoke.toml",
        "vary": "engine.workers",
        "levels": [1, 2, 3, 4, 5],
        "measure": "throughput",
        **changes,
    }
    return Experiment.model_validate(keys)


def base() -> Scenario:
    """A shipped scenario."""
    return load_scenario(ROOT / "scenarios" / "smoke.toml")


def new_folder(path: Path, **changes: Any) -> ScaleFolder:
    """A folder in which nothing was run."""
    return ScaleFolder.create(path, base(), ScaleProgress(experiment=experiment(**changes)), 10**18)


def measured(value: float) -> RunFigure:
    """A valid run with a figure."""
    return RunFigure(CellStatus.MEASURED, Verdict.PASS, GRADE, value, 0.9 * value, 1.1 * value)


def workers_law(scenario: Scenario, number: int) -> RunFigure:
    """Amdahl's law with a little noise."""
    level = scenario.engine.workers
    return measured(300 * level / (1 + 0.1 * (level - 1)) * (1 + 0.01 * (number % 3)))


class Runs:
    """Runs by a law.

    Args:
        law: of the system.
        interrupted_at: number of the run that is interrupted, from 1; 0 for none.
    """

    def __init__(self, law: Law = workers_law, interrupted_at: int = 0) -> None:
        self.made: list[Scenario] = []
        self.judged: list[str] = []
        self._figures: dict[str, RunFigure] = {}
        self._law = law
        self._interrupted_at = interrupted_at

    @property
    def measure(self) -> CellMeasure:
        """For an experiment."""
        return CellMeasure(self._run, self._judge)

    def _run(self, scenario: Scenario, within: Path) -> tuple[str, RunFigure]:
        if len(self.made) + 1 == self._interrupted_at:
            raise Interrupted(2)
        self.made.append(scenario)
        folder = RunFolder(within / f"run-{scenario.seed}")
        folder.path.mkdir()
        folder.write_scenario(scenario)
        (folder.path / "plan.json").write_text("{}")
        figure = self._law(scenario, len(self.made))
        self._figures[folder.run_id] = figure
        return folder.run_id, figure

    def _judge(self, path: Path) -> tuple[Scenario, RunFigure]:
        self.judged.append(path.name)
        if path.name not in self._figures:
            raise EvidenceError("was never run", where=path.name)
        return RunFolder(path).read_scenario(), self._figures[path.name]

    def go_on(self, interrupted_at: int = 0) -> Runs:
        """The same system in another process, which has the evidence of this one."""
        other = Runs(self._law, interrupted_at)
        other._figures = dict(self._figures)
        return other


def unheard(_: str) -> None:
    """Report nothing."""
