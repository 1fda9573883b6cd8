"""`harness isolate`: does a disturbance reach the system?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from harness.cli.console import make_console
from harness.cli.options import (
    REPORTS,
    AgentContainers,
    Images,
    ImageSet,
    Reports,
    Seed,
    Settings,
    StackKind,
    duration_option,
)
from harness.cli.overrides import as_overrides, only_for_new
from harness.durations import with_numbers
from harness.errors import UsageError
from harness.scenario.isolation import Isolation
from harness.stack.settings import ROOT

_DISTURB_HINT = "write KIND:KEY=VALUE,..., as in cpu_hog:target=python-agent-1"


def isolate(
    path: Annotated[
        Path, typer.Argument(help="Scenario, file or name; or the folder of such a run.")
    ],
    disturb: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:KEY=VALUE,...",
            help="A fault that lasts, e.g. cpu_hog:target=python-agent-1; docs/faults.md has all.",
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(help="Blocks with and without it, each.")] = 8,
    block: Annotated[float, duration_option("Length of a block.")] = 15.0,
    margin: Annotated[
        float, typer.Option(help="ms; a larger change of the P99 is no isolation.")
    ] = 50.0,
    seed: Seed = None,
    settings: Settings = None,
    reports: Reports = REPORTS,
    stack: Annotated[StackKind, typer.Option(help="process or docker.")] = StackKind.PROCESS,
    images: ImageSet = "upstream",
    image: Images = None,
    agent_containers: AgentContainers = 0,
    free_agents: Annotated[
        bool, typer.Option("--free-agents", help="Take the agents' limits away (--stack docker).")
    ] = False,
) -> None:
    """Blocks of load with and without a disturbance, in pairs, and what they say together.

    Exit code: 0 isolated, 1 not isolated, 2 wrong usage, 3 cannot tell, 5 stack not available.
    """
    from harness.analysis.run_analysis import RunAnalysis
    from harness.assessment.assess import Assessment, assess_and_store_with_analysis
    from harness.cli.report_files import report_isolation_after
    from harness.cli.run_command import run_once
    from harness.cli.stack_choice import (
        StackChoice,  # these are slow to import, and only needed here
    )
    from harness.evidence.run_folder import RunFolder
    from harness.experiments.isolation_run import (
        expand_blocks,
        judge_blocks,
        require_latency_objective,
    )
    from harness.report.isolation import render_isolation
    from harness.scenario import load_scenario
    from harness.scenario.shipped_scenarios import find_scenario

    console = make_console()
    known: list[tuple[Assessment, RunAnalysis]] = []
    if path.is_dir():
        only_for_new(path, {"--disturb": disturb, "--seed": seed, "--set": settings})
        folder = RunFolder.open(path)
    else:
        isolation = _isolation(pairs, block, margin)
        faults = [_fault(text) for text in disturb or ()]
        if not faults:
            raise UsageError("no disturbance is given", where="--disturb", hint=_DISTURB_HINT)
        keys, edit = as_overrides(
            agents=None, rate=None, duration=None, seed=seed, settings=settings or []
        )

        def in_blocks(document: dict[str, Any]) -> None:
            edit(document)
            own = document.get("seed", 1)
            expand_blocks(document, isolation, faults, own if isinstance(own, int) else 1)

        scenario = load_scenario(find_scenario(path), keys, in_blocks)
        require_latency_objective(scenario)
        choice = StackChoice(
            stack, images, image or [], agent_containers, {}, None, None, free_agents
        )

        def assess(own: RunFolder) -> Assessment:
            known.append(assess_and_store_with_analysis(own))
            return known[-1][0]

        _, folder = run_once(scenario, reports, choice, ROOT, console, assess=assess)
    judgement = judge_blocks(folder, known[-1] if known else None)
    report_isolation_after(folder, judgement, console)
    console.print(render_isolation(judgement, folder.path))
    raise typer.Exit(judgement.exit_code)


def _isolation(pairs: int, block_s: float, margin_ms: float) -> Isolation:
    from harness.scenario.file import format_problems

    try:
        return Isolation(pairs=pairs, block_s=block_s, margin_ms=margin_ms)
    except ValidationError as error:
        raise UsageError(
            format_problems(error, "block_s"),
            where="--pairs, --block, --margin",
            hint="--pairs 8 --block 15 --margin 50",
        ) from error


def _fault(text: str) -> dict[str, Any]:
    """`kind:key=value,...` as a table of the scenario; values are TOML's, or else text."""
    from harness.scenario.file import parse_value

    kind, _, rest = text.partition(":")
    fault: dict[str, Any] = {"kind": kind}
    for pair in filter(None, rest.split(",")):
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"{pair!r} is not key=value", where="--disturb", hint=_DISTURB_HINT)
        if key in fault:
            raise UsageError(f"{key} is given twice", where="--disturb", hint=_DISTURB_HINT)
        fault[key] = with_numbers(key, parse_value(value, f"--disturb {key}"))
    return fault
