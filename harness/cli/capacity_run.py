"""A search of the capacity on a chosen stack: one stack, many trials, a line for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from harness.analysis.capacity.trials import TrialRequest
from harness.assessment.assess import Assessment
from harness.assessment.capacity import CapacityResult, TrialFigures
from harness.assessment.capacity_folder import CapacityFolder, CapacityProgress
from harness.cli.capacity_plan import PlanOptions, make_plan
from harness.cli.console import make_console
from harness.cli.history_files import record_after
from harness.cli.report_files import report_capacity_after
from harness.cli.run_command import contract_for, run_once
from harness.cli.stack_choice import StackChoice, StackKind
from harness.clock import SystemClock
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import RunOnce, TrialSink, resume_search, search_capacity
from harness.observe.idle import SystemIdleProbe
from harness.report.capacity import begin_line, end_line, render_capacity, trial_heads
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis, at_level, require_searchable
from harness.stack.base import Stack
from harness.stack.settings import ROOT
from harness.stack.shared import SharedStack
from harness.stack.startup import StartupSink


@dataclass(frozen=True, slots=True)
class TrialLines(TrialSink):
    """Prints a line for each trial, its beginning first."""

    axis: CapacityAxis
    console: Console

    def begins(self, request: TrialRequest) -> None:
        """Print what is tried; the line goes on."""
        self._print(begin_line(request, self.axis), end="")

    def ended(self, figures: TrialFigures) -> None:
        """Print what was found, and why the stack was started again."""
        self._print(end_line(figures))
        if figures.renewed_because:
            self._print(f"    the stack was started again before it: {figures.renewed_because}")

    def _print(self, text: str, end: str = "\n") -> None:
        self.console.print(text, end=end, markup=False, highlight=False, soft_wrap=True)


def begin_search(
    scenario: Scenario,
    axis: CapacityAxis,
    options: PlanOptions,
    *,
    reports: Path,
    choice: StackChoice,
    within_s: float | None,
    history: Path | None = None,
) -> int:
    """Search on the chosen stack, print the result and write the reports; the exit code.

    Raises:
        UsageError: scenario, options, contract and environment do not fit each other.
        StackError: the stack could not be started, or was lost.
    """
    require_searchable(scenario)
    plan = make_plan(scenario, axis, options)
    contract = contract_for(scenario_of_stack(scenario, axis, plan.maximum), choice, ROOT)
    folder = CapacityFolder.create(reports, scenario, SystemClock().wall_ns())
    stored = choice.stored()
    console = make_console()
    with shared_runs(scenario, axis, plan.maximum, choice, contract, folder) as once:
        facts = CapacityProgress(axis=axis, plan=plan, stack=stored)
        _announce(facts, folder, console)
        result = search_capacity(
            scenario,
            axis,
            plan,
            folder,
            once,
            within_s=within_s,
            stack=stored,
            sink=TrialLines(axis, console),
        )
    return _finish(result, folder, history, console)


def go_on(
    path: Path,
    within_s: float | None,
    accept_production: str | None,
    history: Path | None = None,
) -> int:
    """Go on with a search of a folder, with the stack that it was begun with; the exit code.

    Raises:
        UsageError: it is no folder of a search, or its stack cannot be made any more.
        EvidenceError: evidence is missing or unreadable.
    """
    folder = CapacityFolder.open(path)
    facts, scenario = folder.read(), folder.read_scenario()
    choice = StackChoice.of(facts.stack, accept_production)
    highest = facts.plan.maximum
    contract = contract_for(scenario_of_stack(scenario, facts.axis, highest), choice, ROOT)
    console = make_console()
    with shared_runs(scenario, facts.axis, highest, choice, contract, folder) as once:
        _announce(facts, folder, console)
        sink = TrialLines(facts.axis, console)
        result = resume_search(folder, once, within_s=within_s, sink=sink)
    return _finish(result, folder, history, console)


def scenario_of_stack(scenario: Scenario, axis: CapacityAxis, highest: float) -> Scenario:
    """The scenario by which the stack of all trials is chosen: what the highest level needs.

    Signals/s change nothing of a stack.

    Raises:
        UsageError: there can be no such load.
    """
    if axis is CapacityAxis.RATE:
        return scenario
    try:
        return Scenario.model_validate(at_level(scenario, axis, highest))
    except ValueError as error:
        raise UsageError(str(error), where=scenario.name) from error


@contextmanager
def shared_runs(
    scenario: Scenario,
    axis: CapacityAxis,
    highest: float,
    choice: StackChoice,
    contract: Contract,
    folder: CapacityFolder,
) -> Iterator[RunOnce]:
    """What runs a trial on the one stack of all trials; at the end the stack is ended."""
    clock, widest = SystemClock(), scenario_of_stack(scenario, axis, highest)
    is_ours = choice.kind is not StackKind.ATTACH

    def make(logs: Path, on_event: StartupSink) -> Stack:
        files = (logs, logs / "defects.jsonl")
        return choice.build(widest, contract, ROOT, files, clock, on_event)

    shared = SharedStack(
        make,
        folder.logs,
        SystemIdleProbe(contract, clock, is_dedicated=is_ours and not choice.agents),
        is_ours=is_ours,
        # A container of Anvil is released at the end of each run.
        single_use=choice.kind is StackKind.DOCKER and widest.needs_anvil,
    )
    try:
        yield partial(_once, replace(choice, shared=shared))
    finally:
        shared.close()


def _once(choice: StackChoice, scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
    """One trial; its own lines are not shown."""
    return run_once(scenario, within, choice, ROOT, Console(quiet=True))


def _announce(facts: CapacityProgress, folder: CapacityFolder, console: Console) -> None:
    for line in trial_heads(facts, folder.read_scenario(), folder.path):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _finish(
    result: CapacityResult, folder: CapacityFolder, history: Path | None, console: Console
) -> int:
    report_capacity_after(folder, result, console)
    console.print(render_capacity(result, folder.path))
    record_after(history, folder, console)
    return result.exit_code
