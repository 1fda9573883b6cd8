"""`harness compare`: is NEW slower than BASE?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console
from harness.cli.options import (
    REPORTS,
    AcceptProduction,
    AgentContainers,
    AnyStack,
    Images,
    ImageSet,
    Reports,
    Seed,
    Settings,
    StackKind,
)
from harness.cli.overrides import only_for_new
from harness.errors import UsageError

RUNS = 5
MARGIN_PERCENT = 10.0
SCENARIO = Path("smoke")


def compare(
    base: Annotated[
        str,
        typer.Argument(
            metavar="BASE",
            help="Folders of runs or of a --repeat, a folder of reports, or last:N.",
        ),
    ],
    new: Annotated[
        str | None,
        typer.Argument(
            metavar="NEW", help="The same; absent where BASE is the folder of an --interleave."
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0.1, max=1_000.0, help="%; a smaller change does not matter.")
    ] = MARGIN_PERCENT,
    percentile: Annotated[
        str | None,
        typer.Option(help="Such as p50 or full p99; that of the scenario's objective if absent."),
    ] = None,
    allow_different: Annotated[
        str,
        typer.Option(
            metavar="ASPECTS",
            help="What may differ: question, settings, stack, images, quotas, host, contract; all.",
        ),
    ] = "",
    markdown: Annotated[
        Path | None, typer.Option(help="Markdown, for a pull request; - for the terminal.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="The result; - for the terminal.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML; - for the terminal.")] = None,
    interleave: Annotated[
        bool,
        typer.Option(
            "--interleave",
            help="Run both alternately: BASE and NEW are checkouts, settings files, contracts or"
            " image sets.",
        ),
    ] = False,
    scenario: Annotated[Path, typer.Option(help="What --interleave runs.")] = SCENARIO,
    runs: Annotated[int, typer.Option(min=1, max=100, help="Of each side (--interleave).")] = RUNS,
    seed: Seed = None,
    settings: Settings = None,
    reports: Reports = REPORTS,
    stack: AnyStack = StackKind.PROCESS,
    images: ImageSet = "upstream",
    image: Images = None,
    agent_containers: AgentContainers = 0,
    history: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="History that last:N is about; may be repeated."),
    ] = None,
    accept_production: AcceptProduction = None,
) -> None:
    """Compare a percentile of two groups of runs: slower, faster, the same, or cannot tell.

    Exit code: 0 the same or faster, 1 slower, 2 wrong usage or runs that differ otherwise, 3 cannot
    tell, 4 no valid run, 5 stack not available.
    """
    from harness.assessment.compared_figures import parse_percentile
    from harness.assessment.comparison import ComparisonQuestion, compare_runs
    from harness.assessment.fingerprint import parse_aspects
    from harness.assessment.interleave_folder import InterleaveFolder, InterleaveProgress
    from harness.assessment.run_sources import runs_of_both
    from harness.cli.compare_run import begin_interleaved, continue_interleaved
    from harness.cli.report_files import STDOUT, ReportRequest, report_comparison
    from harness.cli.stack_choice import StackChoice  # these are slow to import
    from harness.report.compare import render_comparison
    from harness.report.compared_history import runs_with_history
    from harness.scenario.shipped_scenarios import find_scenario
    from harness.scenario.variant import load_variant

    allowed = parse_aspects(allow_different)
    objective = parse_percentile(percentile) if percentile is not None else None
    if interleave and history:
        raise UsageError(
            "new runs are compared, not those of a history",
            where="--history",
            hint="leave it out, or leave --interleave out and name last:N",
        )
    if not interleave:
        _need_no_runs({"--seed": seed, "--set": settings, "--image": image})
    if new is None and not interleave and InterleaveFolder.is_at(Path(base)):
        only_for_new(Path(base), {"--percentile": percentile, "--allow-different": allowed or None})
        result = continue_interleaved(Path(base), accept_production)
    elif new is None:
        raise UsageError(
            "NEW is missing",
            where=base,
            hint="harness compare BASE NEW; one argument continues the folder of an --interleave",
        )
    elif interleave:
        choice = StackChoice(
            stack, images, image or [], agent_containers, {}, None, accept_production
        )
        plan = InterleaveProgress(
            variants=(load_variant(base), load_variant(new)),
            stack=choice.stored(),
            runs=runs,
            seed=1,
            percentile=percentile,
            margin=margin / 100,
            allowed=tuple(sorted(allowed)),
        )
        result = begin_interleaved(
            find_scenario(scenario),
            plan,
            seed=seed,
            settings=settings or (),
            reports=reports,
            choice=choice,
        )
    else:
        question = ComparisonQuestion(objective, margin / 100, allowed)
        sides = (
            runs_with_history(base, new, reports, history, allowed)
            if history
            else runs_of_both(base, new, reports)
        )
        result = compare_runs(*sides, question)
    wanted = ReportRequest(markdown=markdown, json=json, junit=junit)
    # What goes to the terminal stands there alone, for a program to read.
    if STDOUT not in (markdown, json, junit):
        make_console().print(render_comparison(result))
    report_comparison(result, wanted)
    raise typer.Exit(result.exit_code)


def _need_no_runs(options: Mapping[str, object]) -> None:
    """Make sure that stored runs are not asked what only new ones could answer.

    Raises:
        UsageError: such an option was given.
    """
    if given := [name for name, value in options.items() if value not in (None, [])]:
        raise UsageError(
            "stored runs are compared as they are",
            where=", ".join(given),
            hint="add --interleave to run both sides, or leave it out",
        )
