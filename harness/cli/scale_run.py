"""An experiment over levels on a chosen stack: a line for each run, then the result."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.analysis.capacity.trials import EndReason, SearchPlan
from harness.assessment.assess import assess
from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.scale_folder import ScaleFolder, ScaleProgress
from harness.assessment.scale_result import ScaleResult
from harness.assessment.scaling import RunFigure, figure_of_run, figure_of_search
from harness.cli.capacity_plan import PlanOptions, make_plan
from harness.cli.capacity_run import shared_runs
from harness.cli.console import make_console, print_line
from harness.cli.report_files import report_scale_after
from harness.cli.run_command import contract_for, run_once
from harness.cli.stack_choice import StackChoice, StackKind
from harness.clock import SystemClock
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import judge_search, resume_search, search_capacity
from harness.experiments.scale import CellMeasure, check_levels, judge_cells, run_cells
from harness.process.interrupt import Interrupted
from harness.report.scale import render_scale
from harness.scenario import Scenario, load_scenario
from harness.scenario.capacity_axis import CapacityAxis, require_searchable
from harness.scenario.experiment import Experiment, Measure, base_file, load_experiment
from harness.scenario.shipped_scenarios import find_scenario
from harness.stack.settings import ROOT


def begin_experiment(
    path: Path,
    *,
    seed: int | None,
    settings: Sequence[str],
    reports: Path,
    choice: StackChoice,
) -> int:
    """Run an experiment on the chosen stack, print the result and write reports; the exit code.

    Args:
        path: of the experiment's file.
        seed: instead of the file's own.
        settings: `KEY=VALUE` of the base scenario, after the file's own.
        reports: where the folder goes.
        choice: of the stack.

    Raises:
        UsageError: experiment, scenario, options and environment do not fit each other.
        StackError: a stack could not be started, or was lost.
    """
    if choice.kind is StackKind.ATTACH:
        raise UsageError(
            "an experiment changes the system, and starts it anew for each run",
            where="--stack",
            hint="choose --stack process or --stack docker",
        )
    path = find_scenario(path)
    experiment = load_experiment(path, {} if seed is None else {"seed": seed})
    experiment = experiment.model_copy(update={"set": (*experiment.set, *settings)})
    base = load_scenario(
        base_file(experiment, path.absolute().parent, ROOT), experiment.set, by_user=False
    )
    for scenario in check_levels(experiment, base):
        contract_for(scenario, choice, ROOT)
    if experiment.measure is Measure.CAPACITY:
        require_searchable(base)
        search_plan(experiment, base)
    facts = ScaleProgress(experiment=experiment, stack=choice.stored())
    folder = ScaleFolder.create(reports, base, facts, SystemClock().wall_ns())
    return _run(folder, choice)


def continue_experiment(path: Path) -> int:
    """Go on with an experiment, with the stack that it was begun with; the exit code.

    Raises:
        UsageError: it is no folder of an experiment.
        EvidenceError: evidence is missing or unreadable.
    """
    folder = ScaleFolder.open(path)
    return _run(folder, StackChoice.of(folder.read().stack))


def judge_experiment(folder: ScaleFolder) -> ScaleResult:
    """Judge every run again from its evidence, and the experiment; nothing is run.

    Raises:
        EvidenceError: evidence is missing or unreadable, or is that of another run.
    """
    return judge_cells(folder, _measure(folder.read().experiment, None))


def search_plan(experiment: Experiment, scenario: Scenario) -> SearchPlan:
    """The plan of the search at each level, from the experiment's `search`.

    Raises:
        UsageError: a figure of it cannot be read, or they do not fit each other.
    """
    own = experiment.search
    options = PlanOptions(
        start=own.start,
        minimum=own.minimum,
        maximum=own.maximum,
        width=own.width,
        confirm=own.confirm,
        trial=own.trial,
    )
    return make_plan(scenario, CapacityAxis.RATE, options)


def _run(folder: ScaleFolder, choice: StackChoice) -> int:
    console = make_console()
    experiment = folder.read().experiment
    runs = len(experiment.cells())
    print_line(console, f"experiment {folder.path.name}: {experiment.about}")
    print_line(console, f"{runs} runs of {experiment.vary}, {choice.kind} stack, in {folder.path}")
    measure = _measure(experiment, choice)
    try:
        made = run_cells(folder, measure, lambda text: print_line(console, text))
    except Interrupted:
        console.print(f"go on with: harness scale {folder.path}", soft_wrap=True, no_wrap=True)
        raise
    result = judge_cells(folder, measure, made)
    report_scale_after(folder, result, console)
    console.print(render_scale(result, folder.path))
    return result.exit_code


def _search(
    scenario: Scenario, plan: SearchPlan, within: Path, choice: StackChoice
) -> tuple[str, RunFigure]:
    """One search, all trials of which share one stack; one that was interrupted is gone on with."""
    axis = CapacityAxis.RATE
    contract = contract_for(scenario, choice, ROOT)
    begun = _begun_search(within, scenario)
    folder = begun or CapacityFolder.create(within, scenario, SystemClock().wall_ns())
    with shared_runs(scenario, axis, plan.maximum, choice, contract, folder) as once:
        if begun is None:
            result = search_capacity(scenario, axis, plan, folder, once)
        else:
            result = resume_search(folder, once)
    if result.reason is EndReason.INTERRUPTED:
        raise Interrupted(signal.SIGINT)
    return folder.path.name, figure_of_search(result)


def _begun_search(within: Path, scenario: Scenario) -> CapacityFolder | None:
    """The search of this scenario that has begun; its seed is that of one cell and attempt."""
    for path in sorted(within.glob("*-capacity")):
        if not path.is_symlink() and CapacityFolder.is_at(path):
            folder = CapacityFolder.open(path)
            if folder.read_scenario() == scenario:
                return folder
    return None


def _measure(experiment: Experiment, choice: StackChoice | None) -> CellMeasure:
    """How a level is measured; without a stack it is only judged."""

    def run(scenario: Scenario, within: Path) -> tuple[str, RunFigure]:
        if choice is None:
            raise ValueError("there is no stack to run on")
        if experiment.measure is Measure.CAPACITY:
            plan = search_plan(experiment, scenario)
            return _search(scenario, plan, within, choice)
        # Its own lines and verdict are not shown: under overload it fails on purpose.
        silent = Console(quiet=True)
        assessment, folder = run_once(scenario, within, choice, ROOT, silent)
        if any(event.kind == "interrupted" for event in folder.read_run().events):
            raise Interrupted(signal.SIGINT)  # judged, but no run of the plan
        return folder.run_id, figure_of_run(experiment.measure, scenario, assessment)

    def judge(path: Path) -> tuple[Scenario, RunFigure]:
        if experiment.measure is Measure.CAPACITY:
            search = CapacityFolder.open(path)
            return search.read_scenario(), figure_of_search(judge_search(search))
        folder = RunFolder.open(path)
        scenario = folder.read_scenario()
        return scenario, figure_of_run(experiment.measure, scenario, assess(folder))

    return CellMeasure(run, judge)
