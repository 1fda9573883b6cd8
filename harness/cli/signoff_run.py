"""Beginning a sign-off, and going on with one: what is checked first, then the attempts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import harness
from harness.assessment.signoff import AttemptResult
from harness.assessment.signoff_folder import (
    Question,
    SignoffFolder,
    SignoffPlan,
    utc_text,
)
from harness.cli.capacity_plan import PlanOptions, make_plan
from harness.cli.console import make_console, print_line
from harness.cli.overrides import as_overrides
from harness.cli.report_files import append_summary
from harness.cli.run_command import contract_for
from harness.cli.signoff_steps import STEPS, with_agents
from harness.cli.stack_choice import StackChoice
from harness.clock import SystemClock
from harness.errors import HarnessError, UsageError, choice_hint, error_text
from harness.evidence import atomic_files
from harness.evidence.run_folder import scenario_text
from harness.experiments.chaos import check_rounds
from harness.experiments.isolation_run import require_latency_objective
from harness.experiments.signoff import SignoffSink, run_attempts
from harness.experiments.signoff_judging import AttemptQuestion, attempt_scenario
from harness.experiments.signoff_result import REFERENCES, parse_scenario, write_documents
from harness.process.interrupt import Interrupted
from harness.report.markdown import signoff_markdown
from harness.report.signoff import figures_text, render_signoff, why_text, words
from harness.scenario import load_scenario
from harness.scenario.capacity_axis import CapacityAxis, require_searchable
from harness.scenario.fault_registry import fault_kinds
from harness.scenario.file import scenario_file
from harness.scenario.policy import (
    CapacityReached,
    Criterion,
    Isolated,
    Policy,
    RoundsPass,
    parse_policy,
)
from harness.stack.settings import ROOT

# Any seed shows whether a scenario can be made.
_TRIED_SEED = 1


class AttemptLines(SignoffSink):
    """Prints a line for each attempt, at its beginning and at its end."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begins(self, criterion: Criterion, attempt: int) -> None:
        """Print the question."""
        number = f", attempt {attempt}" if attempt > 1 else ""
        print_line(self._console, f"\ncriterion {criterion.id}{number}: {criterion.question}")

    def ended(self, criterion: Criterion, result: AttemptResult) -> None:
        """Print the status and why."""
        because = why_text(result.reasons) or figures_text(result.figures)
        print_line(self._console, f"{criterion.id} is {words(result.status)}: {because}")


def begin_signoff(
    path: Path, policy_text: str, *, out: Path, choice: StackChoice, defects: Sequence[str] = ()
) -> int:
    """Begin a sign-off and run it to its decision; the exit code.

    Args:
        path: of the policy's file.
        policy_text: of the file.
        out: where the folder goes.
        choice: of the stack.
        defects: to be switched on in the reference services.

    Raises:
        UsageError: policy, scenarios, options and environment do not fit each other.
        Interrupted: it can be resumed.
    """
    console, policy = make_console(), parse_policy(policy_text, str(path))
    beside = path.absolute().parent
    questions = [resolve(one, beside, defects) for one in policy.criterion]
    _show_refused(policy, questions, choice, console)
    wall_ns = SystemClock().wall_ns()
    folder = SignoffFolder.create(out, policy.policy.name, wall_ns)
    plan = SignoffPlan(
        signoff_id=folder.path.name,
        began=utc_text(wall_ns),
        harness=harness.__version__,
        policy_sha256=hashlib.sha256(policy_text.encode()).hexdigest(),
        stack=choice.stored(),
        defects=tuple(defects),
        questions=tuple(questions),
    )
    folder.write_plan(policy_text, plan)
    for name in REFERENCES:
        source = ROOT / "docs" / name
        if source.is_file():
            atomic_files.write_text(folder.path / name, source.read_text(encoding="utf-8"))
    return _run(folder, choice, console)


def continue_signoff(path: Path, accept_production: str | None) -> int:
    """Go on with a sign-off, on the stack that it was begun with; the exit code.

    Raises:
        UsageError: it is no folder of a sign-off.
        EvidenceError: plan, policy or journal are missing or broken.
        Interrupted: it can be resumed.
    """
    folder = SignoffFolder.open(path)
    choice = StackChoice.of(folder.read_plan().stack, accept_production)
    return _run(folder, choice, make_console())


def resolve(criterion: Criterion, folder: Path, defects: Sequence[str] = ()) -> Question:
    """What a criterion runs, with its scenario resolved and checked.

    Args:
        criterion: of the policy.
        folder: of the policy's file.
        defects: to be switched on.

    Raises:
        UsageError: its scenario is missing or wrong, or cannot answer the question.
    """
    where = f"criterion {criterion.id}"
    file = scenario_file(criterion.scenario, f"{where}, scenario", folder, ROOT)
    keys, edit = as_overrides(
        agents=None, rate=None, duration=None, seed=None, settings=criterion.set, defects=defects
    )
    scenario = load_scenario(file, keys, edit)
    if misfit := criterion.find_misfit(scenario):
        raise UsageError(f"the scenario {misfit}", where=f"{where}, {file}")
    search = None
    if isinstance(criterion, CapacityReached):
        require_searchable(scenario)
        search = make_plan(scenario, CapacityAxis.RATE, _plan_options(criterion))
        if search.maximum < criterion.least:
            wanted = f"below the {criterion.least:g}/s asked for"
            raise UsageError(
                f"the search ends at {search.maximum:g}/s, {wanted}",
                where=f"{where}, search.maximum",
            )
    own = attempt_scenario(criterion, scenario, _TRIED_SEED)
    if isinstance(criterion, Isolated):
        require_latency_objective(own)
    if isinstance(criterion, RoundsPass):
        check_rounds(own, criterion.rounds)
        _check_kinds(criterion, where)
    return Question(id=criterion.id, scenario=scenario_text(scenario), search=search)


def _plan_options(criterion: CapacityReached) -> PlanOptions:
    """The options of the search; without a range of its own it tries what is asked for alone."""
    own = criterion.search
    least = f"{criterion.least:g}"
    is_open = own.start is None and own.maximum is None
    return PlanOptions(
        start=own.start or (least if own.maximum is None else None),
        minimum=own.minimum or (least if is_open else None),
        maximum=own.maximum or least,
        width=own.width,
        confirm=own.confirm,
        trial=own.trial,
    )


def _check_kinds(criterion: RoundsPass, where: str) -> None:
    known = fault_kinds()
    for kind in criterion.faults:
        if kind not in known:
            hint = choice_hint(kind, known)
            raise UsageError(f"there is no fault {kind!r}", where=f"{where}, faults", hint=hint)


def _show_refused(
    policy: Policy, questions: Sequence[Question], choice: StackChoice, console: Console
) -> None:
    """Say which criteria this host and stack cannot measure.

    Raises:
        UsageError: they can measure none.
    """
    refused: list[tuple[str, HarnessError]] = []
    for criterion, question in zip(policy.criterion, questions, strict=True):
        base = parse_scenario(question, "the policy")
        asked = AttemptQuestion(criterion, attempt_scenario(criterion, base, _TRIED_SEED))
        try:
            contract_for(asked.scenario, with_agents(choice, asked), ROOT)
        except UsageError as error:
            refused.append((criterion.id, error))
    if len(refused) == len(questions):
        raise refused[0][1]
    for name, reason in refused:
        print_line(console, f"{name} cannot be measured here: {error_text(reason)}")


def _run(folder: SignoffFolder, choice: StackChoice, console: Console) -> int:
    plan = folder.read_plan()
    print_line(console, f"sign-off {plan.signoff_id}: {folder.read_policy().policy.about}")
    criteria = len(plan.questions)
    print_line(console, f"{criteria} criteria, {plan.stack.kind} stack, in {folder.path}")

    def measure(question: AttemptQuestion, within: Path) -> None:
        STEPS[question.criterion.kind](question, within, choice, console)

    try:
        run_attempts(folder, measure, sink=AttemptLines(console))
    except Interrupted:
        console.print(f"go on with: harness signoff {folder.path}", soft_wrap=True, no_wrap=True)
        raise
    made = write_documents(folder)
    append_summary(signoff_markdown(made.result, made.archive), os.environ, console)
    console.print(render_signoff(made.result, folder.path, made.archive, made.root))
    return made.result.exit_code
