"""`harness capacity`: the highest load that keeps every objective."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
    REPORTS,
    AcceptProduction,
    AgentContainers,
    AnyStack,
    ContractFile,
    Defects,
    HistoryPath,
    Images,
    ImageSet,
    Reports,
    Seed,
    Settings,
    StackKind,
)
from harness.cli.overrides import as_overrides, only_for_new
from harness.durations import parse_duration_s
from harness.stack.settings import ROOT

CAPACITY = ROOT / "scenarios" / "capacity.toml"


def capacity(
    path: Annotated[
        Path, typer.Argument(help="Scenario, file or name; or the folder of a search.")
    ] = CAPACITY,
    axis: Annotated[
        str | None, typer.Option(help="rate (default), agents, hot-share or full-share.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First level; the scenario's if absent.")
    ] = None,
    minimum: Annotated[
        str | None, typer.Option("--min", help="No level below it is tried.")
    ] = None,
    maximum: Annotated[
        str | None, typer.Option("--max", help="No level above it is tried.")
    ] = None,
    width: Annotated[
        str | None, typer.Option(help="Distance of the bounds at the end, e.g. 5% (default).")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Time budget, e.g. 20m; the bounds so far count then.")
    ] = None,
    headroom: Annotated[
        str | None, typer.Option(help="Operating rate as a share of the capacity; 70% if absent.")
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERxLENGTH",
            help="Trials that confirm the capacity: 3x60s if absent, 3x300s for a sign-off.",
        ),
    ] = None,
    trial: Annotated[
        str | None,
        typer.Option(metavar="LEAST-MOST", help="Length of a trial; 20s-120s if absent."),
    ] = None,
    seed: Seed = None,
    defect: Defects = None,
    settings: Settings = None,
    reports: Reports = REPORTS,
    stack: AnyStack = StackKind.PROCESS,
    images: ImageSet = "upstream",
    image: Images = None,
    agent_containers: AgentContainers = 0,
    contract: ContractFile = None,
    accept_production: AcceptProduction = None,
    history: HistoryPath = None,
) -> None:
    """Search the highest load that keeps every objective, and what limits it.

    Exit code: 0 found, or not broken up to --max; 1 never met; 3 the bounds are wider than asked
    for; 4 INVALID; 2 wrong usage, 5 stack not available.
    """
    from harness.cli.capacity_plan import PlanOptions, parse_axis
    from harness.cli.capacity_run import begin_search, go_on  # slow to import
    from harness.cli.stack_choice import StackChoice
    from harness.scenario import load_scenario
    from harness.scenario.shipped_scenarios import find_scenario

    asked = PlanOptions(start, minimum, maximum, width, headroom, confirm, trial)
    within_s = None if within is None else parse_duration_s(within, "--within")
    if path.is_dir():
        only_for_new(
            path,
            {
                "--axis": axis,
                **asked.given(),
                "--seed": seed,
                "--defect": defect,
                "--set": settings,
                "--image": image,
                "--contract": contract,
            },
        )
        raise typer.Exit(go_on(path, within_s, accept_production, history))
    keys, edit = as_overrides(
        agents=None,
        rate=None,
        duration=None,
        seed=seed,
        settings=settings or [],
        defects=defect or [],
    )
    choice = StackChoice(
        stack, images, image or [], agent_containers, {}, contract, accept_production
    )
    raise typer.Exit(
        begin_search(
            load_scenario(find_scenario(path), keys, edit),
            parse_axis(axis or "rate"),
            asked,
            reports=reports,
            choice=choice,
            within_s=within_s,
            history=history,
        )
    )
