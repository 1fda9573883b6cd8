"""How each kind of criterion makes the evidence of an attempt, on the chosen stack.

`STEPS` has the function of each kind. It gets the question, a folder for the evidence, the stack,
and where to print. One that is resumable resumes what is in the folder. Ctrl-C raises
`Interrupted`, also where the run itself was judged.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.analysis.capacity.trials import EndReason
from harness.assessment.assess import Assessment
from harness.assessment.capacity_folder import CapacityFolder
from harness.cli.capacity_run import TrialLines, scenario_of_stack, shared_runs
from harness.cli.chaos import fault_choices
from harness.cli.console import print_line
from harness.cli.run_command import contract_for, run_once
from harness.cli.stack_choice import StackChoice
from harness.clock import SystemClock
from harness.evidence.chaos_folder import ChaosFolder, ChaosProgress
from harness.evidence.group_folder import INTERRUPTED, GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import resume_search, search_capacity
from harness.experiments.chaos import run_rounds
from harness.experiments.repeat import RunOnce, repeat
from harness.experiments.signoff_judging import AttemptQuestion
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis
from harness.scenario.policy import RoundsPass, RunsPass
from harness.stack.settings import ROOT


def measure_run(
    question: AttemptQuestion, within: Path, choice: StackChoice, console: Console
) -> None:
    """One run, with as many agent containers as the criterion asks for."""
    _runs_on(with_agents(choice, question), console)(question.scenario, within)


def measure_repeat(
    question: AttemptQuestion, within: Path, choice: StackChoice, console: Console
) -> None:
    """A group of runs."""
    if not isinstance(question.criterion, RunsPass):
        raise TypeError(question.criterion.kind)
    scenario = question.scenario
    contract_for(scenario, choice, ROOT)
    folder = GroupFolder.create(within, scenario.name, SystemClock().wall_ns())
    repeat(scenario, question.criterion.times, folder, _runs_on(choice, console))
    if folder.read().ended == INTERRUPTED:
        raise Interrupted(signal.SIGINT)


def measure_capacity(
    question: AttemptQuestion, within: Path, choice: StackChoice, console: Console
) -> None:
    """A search, all trials of which share one stack."""
    scenario, plan, axis = question.scenario, question.search, CapacityAxis.RATE
    if plan is None:
        raise TypeError(question.criterion.kind)
    contract = contract_for(scenario_of_stack(scenario, axis, plan.maximum), choice, ROOT)
    begun = next((one for one in sorted(within.glob("*")) if CapacityFolder.is_at(one)), None)
    folder = (
        CapacityFolder.create(within, scenario, SystemClock().wall_ns())
        if begun is None
        else CapacityFolder.open(begun)
    )
    lines = TrialLines(axis, console)
    with shared_runs(scenario, axis, plan.maximum, choice, contract, folder) as once:
        if begun is None:
            stored = choice.stored()
            result = search_capacity(scenario, axis, plan, folder, once, stack=stored, sink=lines)
        else:
            result = resume_search(folder, once, sink=lines)
    if result.reason is EndReason.INTERRUPTED:
        raise Interrupted(signal.SIGINT)


def measure_chaos(
    question: AttemptQuestion, within: Path, choice: StackChoice, console: Console
) -> None:
    """Rounds of random faults."""
    criterion, scenario = question.criterion, question.scenario
    if not isinstance(criterion, RoundsPass):
        raise TypeError(criterion.kind)
    begun = next((one for one in sorted(within.glob("*")) if ChaosFolder.is_at(one)), None)
    if begun is None:
        choices = fault_choices(
            choice.possible_faults(scenario), scenario.needs_anvil, criterion.faults, choice.kind
        )
        contract_for(scenario, choice, ROOT)
        folder = ChaosFolder.create(within, scenario, SystemClock().wall_ns())
        folder.write(
            ChaosProgress.model_validate(
                {
                    "seed": scenario.seed,
                    "rounds": criterion.rounds,
                    "stack": choice.kind.value,
                    "choices": choices,
                }
            )
        )
    else:
        folder = ChaosFolder.open(begun)
    run_rounds(folder, _runs_on(choice, console), lambda text: print_line(console, text))


# The function of each kind of criterion.
STEPS: Mapping[str, Callable[[AttemptQuestion, Path, StackChoice, Console], None]] = {
    "run": measure_run,
    "repeat": measure_repeat,
    "quotas": measure_run,
    "capacity": measure_capacity,
    "isolation": measure_run,  # in blocks
    "chaos": measure_chaos,
    "gate": measure_run,
    "backup": measure_run,
    "scale_out": measure_run,
}


def with_agents(choice: StackChoice, question: AttemptQuestion) -> StackChoice:
    """The stack with the agent containers of a criterion."""
    agents = getattr(question.criterion, "agent_containers", 0)
    return replace(choice, agents=agents) if agents else choice


def _runs_on(choice: StackChoice, console: Console) -> RunOnce:
    def once(scenario: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        found = run_once(scenario, within, choice, ROOT, console)
        if any(event.kind == "interrupted" for event in found[1].read_run().events):
            raise Interrupted(signal.SIGINT)
        return found

    return once
