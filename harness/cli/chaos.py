"""`harness chaos`: rounds of random faults under load."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import make_console
from harness.cli.options import (
    REPORTS,
    Defects,
    Images,
    ImageSet,
    Reports,
    Seed,
    Settings,
    StackKind,
)
from harness.cli.overrides import as_overrides, only_for_new
from harness.errors import UsageError
from harness.stack.settings import ROOT

if TYPE_CHECKING:
    from harness.scenario.fault_registry import FaultSupport

ROUNDS = 20
CHAOS = ROOT / "scenarios" / "chaos.toml"


def chaos(
    path: Annotated[
        Path, typer.Argument(help="Scenario without faults, file or name; or a chaos folder.")
    ] = CHAOS,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=10_000, help=f"How many; {ROUNDS} if absent.")
    ] = None,
    seed: Seed = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only faults of this kind; several may be named.")
    ] = None,
    defect: Defects = None,
    settings: Settings = None,
    reports: Reports = REPORTS,
    stack: Annotated[StackKind, typer.Option(help="process or docker.")] = StackKind.PROCESS,
    images: ImageSet = "upstream",
    image: Images = None,
) -> None:
    """Rounds of random faults under load, with every check after each.

    Exit code: that of the worst round's verdict; 3 while rounds are missing.
    """
    from harness.assessment.assess import Assessment
    from harness.cli.report_files import report_chaos_after
    from harness.cli.run_command import contract_for, run_once
    from harness.cli.stack_choice import (
        StackChoice,  # these are slow to import, and only needed here
    )
    from harness.clock import SystemClock
    from harness.evidence.chaos_folder import ChaosFolder, ChaosProgress
    from harness.evidence.run_folder import RunFolder
    from harness.experiments.chaos import check_rounds, judge_rounds, run_rounds
    from harness.report.chaos import render_chaos
    from harness.scenario import Scenario, load_scenario
    from harness.scenario.shipped_scenarios import find_scenario

    console = make_console()

    def choice(kind_of: StackKind) -> StackChoice:
        return StackChoice(kind_of, images, image or [], 0, {}, None, None)

    if path.is_dir():
        only_for_new(
            path,
            {
                "--rounds": rounds,
                "--seed": seed,
                "--kind": kind,
                "--defect": defect,
                "--set": settings,
                "--image": image,
            },
        )
        folder = ChaosFolder.open(path)
        chosen = choice(StackKind(folder.read().stack))
    else:
        chosen = choice(stack)
        keys, edit = as_overrides(
            agents=None,
            rate=None,
            duration=None,
            seed=seed,
            settings=settings or [],
            defects=defect or [],
        )
        scenario = load_scenario(find_scenario(path), keys, edit)
        # Each round has a fault at a time of its own, in a load of a known length.
        scenario = scenario.model_copy(update={"load": scenario.load.of_fixed_length()})
        planned = ROUNDS if rounds is None else rounds
        check_rounds(scenario, planned)
        choices = fault_choices(
            chosen.possible_faults(scenario), scenario.needs_anvil, kind or (), stack
        )
        contract_for(scenario, chosen, ROOT)
        folder = ChaosFolder.create(reports, scenario, SystemClock().wall_ns())
        folder.write(
            ChaosProgress.model_validate(
                {"seed": scenario.seed, "rounds": planned, "stack": stack.value, "choices": choices}
            )
        )

    def once(own: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        return run_once(own, within, chosen, ROOT, console)

    made = run_rounds(folder, once, lambda text: console.print(text, markup=False))
    result = judge_rounds(folder, made)
    report_chaos_after(folder, result, console)
    console.print(render_chaos(result, folder.path))
    raise typer.Exit(result.exit_code)


def fault_choices(
    possible: FaultSupport | None, needs_anvil: bool, kinds: Collection[str], stack: StackKind
) -> tuple[tuple[str, str], ...]:
    """Kinds and targets to draw from: each kind that is named can be had."""
    from harness.faults.random_faults import candidates, chosen_kinds

    if possible is None:
        raise UsageError(
            f"faults are injected only into what the harness started itself, not with --stack"
            f" {stack}",
            where="--stack",
            hint="choose --stack process or --stack docker",
        )
    choices = candidates(possible, needs_anvil=needs_anvil)
    drawn = {kind for kind, _ in choices}
    if strange := sorted(set(kinds) - drawn):
        raise UsageError(
            f"the {stack} stack has no rounds of {', '.join(strange)} with this scenario",
            where="--kind",
            hint=f"possible are {', '.join(sorted(drawn))}",
        )
    return chosen_kinds(choices, kinds)
