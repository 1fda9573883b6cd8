"""`harness scale`: capacity, latency or throughput against one varied setting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
    REPORTS,
    AgentContainers,
    Images,
    ImageSet,
    Reports,
    Seed,
    Settings,
    StackKind,
)
from harness.cli.overrides import only_for_new


def scale(
    path: Annotated[
        Path,
        typer.Argument(help="Experiment, file or name; or the folder of one, to go on with."),
    ],
    seed: Seed = None,
    settings: Settings = None,
    reports: Reports = REPORTS,
    stack: Annotated[StackKind, typer.Option(help="process or docker.")] = StackKind.PROCESS,
    images: ImageSet = "upstream",
    image: Images = None,
    agent_containers: AgentContainers = 0,
) -> None:
    """Capacity, latency or throughput against one varied setting, with a fitted model.

    Exit code: 0 measured, 1 a run violated an integrity check, 2 wrong usage, 3 runs are missing
    or were not valid, 4 a level has no valid run, 5 stack not available.
    """
    from harness.cli.scale_run import begin_experiment, continue_experiment  # slow to import
    from harness.cli.stack_choice import StackChoice

    if path.is_dir():
        given = {"--seed": seed, "--set": settings, "--image": image}
        only_for_new(path, given)
        raise typer.Exit(continue_experiment(path))
    choice = StackChoice(stack, images, image or [], agent_containers, {}, None, None)
    raise typer.Exit(
        begin_experiment(path, seed=seed, settings=settings or (), reports=reports, choice=choice)
    )
