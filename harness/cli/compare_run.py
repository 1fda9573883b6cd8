"""Alternate runs of two systems on a chosen stack: a line for each run, then the comparison."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.interleave_folder import (
    SEEDS_END,
    InterleaveFolder,
    InterleaveProgress,
)
from harness.cli.console import make_console
from harness.cli.report_files import report_compare_after
from harness.cli.run_command import contract_for, run_once
from harness.cli.stack_choice import StackChoice, StackKind
from harness.clock import SystemClock
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.experiments.interleave import (
    compare_sides,
    require_one_question,
    run_interleaved,
)
from harness.process.interrupt import Interrupted
from harness.scenario import Scenario, load_scenario
from harness.scenario.variant import Variant
from harness.stack.settings import ROOT


def begin_interleaved(
    path: Path,
    plan: InterleaveProgress,
    *,
    seed: int | None,
    settings: Sequence[str],
    reports: Path,
    choice: StackChoice,
) -> ComparisonResult:
    """Run two systems alternately and compare them.

    Args:
        path: of the scenario's file.
        plan: the variants, and how many runs; its seed is that of the scenario.
        seed: instead of the scenario's own.
        settings: `KEY=VALUE` of the scenario, for both sides.
        reports: where the folder goes.
        choice: of the stack, as far as both have it in common.

    Raises:
        UsageError: scenario, variants, options and environment do not fit each other.
        StackError: a stack could not be started, or was lost.
    """
    keys = [*settings, *([] if seed is None else [f"seed={seed}"])]
    own, other = (load_scenario(path, [*keys, *variant.set]) for variant in plan.variants)
    require_one_question(own, other, plan.allowed)
    for variant, scenario in zip(plan.variants, (own, other), strict=True):
        _check(variant, choice.kind)
        contract_for(scenario, choice_of(choice, variant), root_of(variant))
    base = load_scenario(path, keys)
    # Runs of one length are what a comparison is judged by.
    base = base.model_copy(update={"load": base.load.of_fixed_length()})
    if base.seed > SEEDS_END:
        raise UsageError(
            f"{base.seed} leaves no seeds for the runs",
            where="seed",
            hint="each run has the next seed; choose a smaller one with --seed",
        )
    facts = plan.model_copy(update={"seed": base.seed})
    return _run(InterleaveFolder.create(reports, base, facts, SystemClock().wall_ns()), choice)


def continue_interleaved(path: Path, accept_production: str | None) -> ComparisonResult:
    """Go on with an experiment, with the stack that it was begun with; compare it again if whole.

    Raises:
        UsageError: it is no folder of such an experiment, or its stack cannot be made any more.
        EvidenceError: evidence is missing or unreadable.
    """
    folder = InterleaveFolder.open(path)
    return _run(folder, StackChoice.of(folder.read().stack, accept_production))


def choice_of(common: StackChoice, variant: Variant) -> StackChoice:
    """The stack of a variant."""
    return replace(
        common,
        image_set=variant.images or common.image_set,
        images=(*common.images, *variant.image),
        contract_file=Path(variant.contract) if variant.contract else common.contract_file,
    )


def root_of(variant: Variant) -> Path:
    """The checkout whose services a variant starts."""
    return Path(variant.checkout) if variant.checkout else ROOT


def _check(variant: Variant, kind: StackKind) -> None:
    """Make sure that the stack does not pass over what makes a variant another system.

    Raises:
        UsageError: it would.
    """
    if variant.images is not None and kind is not StackKind.DOCKER:
        raise UsageError(
            f"the {kind} stack has no image set {variant.images[:60]!r}, and there is no such file",
            where=variant.name,
            hint="give a checkout, a settings file or a contract; or add --stack docker",
        )
    if variant.checkout is not None and kind is not StackKind.PROCESS:
        raise UsageError(
            f"the {kind} stack does not start the services of a checkout",
            where=variant.name,
            hint='name images in settings files, as in image = ["engine=IMAGE"]',
        )


def _run(folder: InterleaveFolder, common: StackChoice) -> ComparisonResult:
    # The result may go to the output as a document, which has to stand there alone.
    console = make_console(stderr=True)

    def report(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def run(variant: Variant, scenario: Scenario, within: Path) -> RunFolder:
        # Its own lines and verdict are not shown: they are not what is asked.
        choice, silent = choice_of(common, variant), Console(quiet=True)
        assessment, made = run_once(scenario, within, choice, root_of(variant), silent)
        if any(event.kind == "interrupted" for event in made.read_run().events):
            raise Interrupted(signal.SIGINT)  # judged, but no run of the plan
        report(f"{assessment.judgement.verdict.name}: {made.run_id}")
        return made

    report(f"comparison {folder.path.name}, {common.kind} stack, in {folder.path}")
    try:
        run_interleaved(folder, run, report)
    except Interrupted:
        report(f"go on with: harness compare {folder.path}")
        raise
    result = compare_sides(folder)
    report_compare_after(folder, result, console)
    return result
