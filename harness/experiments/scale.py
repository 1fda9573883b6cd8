"""An experiment over levels: runs in seeded random order, repeated where not valid, and the result.

A run is an ordinary run with one level of the varied setting, a new stack, and evidence and a
verdict of its own. An interrupted experiment goes on with the run that had not ended. What a run
says is read from its evidence, so that judging again gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.assessment.scale_folder import ScaleFolder, ScaleProgress, StoredAttempt
from harness.assessment.scale_result import CellFigures, CellStatus, ScaleResult
from harness.assessment.scaling import RunFigure, build_scale_result
from harness.errors import EvidenceError
from harness.scenario import Scenario
from harness.scenario.experiment import Experiment

ReportProgress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CellMeasure:
    """How the figure of a level is measured.

    Attributes:
        run: runs a scenario into a new folder below a path; the name of that folder and the figure.
        judge: the figure from the evidence in that folder, and the scenario that was run.
    """

    run: Callable[[Scenario, Path], tuple[str, RunFigure]]
    judge: Callable[[Path], tuple[Scenario, RunFigure]]


def check_levels(experiment: Experiment, base: Scenario) -> tuple[Scenario, ...]:
    """The scenario of each level, in the order of the levels.

    Raises:
        UsageError: a level is none of the varied setting, or has no effect on the base.
    """
    return tuple(experiment.scenario_at(base, level, base.seed) for level in experiment.levels)


def run_cells(
    folder: ScaleFolder, measure: CellMeasure, report: ReportProgress
) -> dict[str, RunFigure]:
    """Run what is missing.

    Returns:
        figures of all runs by their ids: of those of this call, judged at their end, and of
        earlier ones, judged again from their evidence.

    Raises:
        HarnessError: a run failed, or an earlier one is missing; those before it are kept.
        Interrupted: the same.
    """
    facts, base = folder.read(), folder.read_scenario()
    figures = _judged_attempts(folder, facts, measure, {})
    for position, cell in enumerate(facts.experiment.cells()):
        level = facts.experiment.levels[cell.level]
        while (attempt := _next_attempt(facts, figures, position)) is not None:
            count = f"run {position + 1} of {len(facts.experiment.cells())}"
            again = f", attempt {attempt + 1}" if attempt else ""
            report(f"{count}: {facts.experiment.vary} = {level}{again}")
            seed = facts.experiment.seed_of(position, attempt)
            scenario = facts.experiment.scenario_at(base, level, seed)
            run_id, figure = measure.run(scenario, folder.path)
            stored = StoredAttempt(position=position, attempt=attempt, run_id=run_id)
            facts = facts.model_copy(update={"attempts": (*facts.attempts, stored)})
            folder.write(facts)
            figures[run_id] = figure
            report(f"{figure.status}: {run_id}")
    return figures


def judge_cells(
    folder: ScaleFolder, measure: CellMeasure, made: Mapping[str, RunFigure] | None = None
) -> ScaleResult:
    """Store the result of all runs so far, each judged by its evidence.

    Args:
        folder: with the runs.
        measure: reads a figure from evidence.
        made: figures of runs that were judged just now. All others are judged again: a stored
            result is no evidence.

    Raises:
        EvidenceError: evidence is missing or unreadable, or is that of another run.
    """
    facts = folder.read()
    figures = _judged_attempts(folder, facts, measure, made or {})
    result = build_scale_result(
        facts.experiment,
        folder.path.name,
        facts.stack.kind,
        [_cell(facts.experiment, one, figures[one.run_id]) for one in facts.attempts],
        [figures[one.run_id].grade for one in facts.attempts],
    )
    folder.write_result(result)
    return result


def _next_attempt(
    facts: ScaleProgress, figures: Mapping[str, RunFigure], position: int
) -> int | None:
    """The number of the attempt that a cell needs; None where it needs no more."""
    own = [stored for stored in facts.attempts if stored.position == position]
    is_done = any(figures[stored.run_id].status is not CellStatus.INVALID for stored in own)
    return None if is_done or len(own) >= facts.experiment.attempts else len(own)


def _judged_attempts(
    folder: ScaleFolder,
    facts: ScaleProgress,
    measure: CellMeasure,
    made: Mapping[str, RunFigure],
) -> dict[str, RunFigure]:
    base = folder.read_scenario()
    plan = facts.experiment.cells()
    figures = {}
    for stored in facts.attempts:
        if stored.run_id in made:
            figures[stored.run_id] = made[stored.run_id]
            continue
        if stored.position >= len(plan):
            raise EvidenceError("is no run of the plan", where=stored.run_id)
        level = facts.experiment.levels[plan[stored.position].level]
        seed = facts.experiment.seed_of(stored.position, stored.attempt)
        scenario, figure = measure.judge(folder.run_path(stored.run_id))
        if scenario != facts.experiment.scenario_at(base, level, seed):
            raise EvidenceError(
                f"is not the run of {facts.experiment.vary} = {level}: its scenario differs",
                where=stored.run_id,
            )
        figures[stored.run_id] = figure
    return figures


def _cell(experiment: Experiment, stored: StoredAttempt, figure: RunFigure) -> CellFigures:
    cell = experiment.cells()[stored.position]
    level = experiment.levels[cell.level]
    return CellFigures(
        position=stored.position,
        level=level,
        level_number=experiment.number(level),
        repeat=cell.repeat + 1,
        attempt=stored.attempt + 1,
        run_id=stored.run_id,
        seed=experiment.seed_of(stored.position, stored.attempt),
        status=figure.status,
        verdict=figure.verdict,
        value=figure.value,
        lower=figure.lower,
        upper=figure.upper,
        reasons=figure.reasons,
    )
