"""The `harness` command."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

import harness
from harness.cli.capacity import capacity
from harness.cli.chaos import chaos
from harness.cli.compare import compare
from harness.cli.completion import complete_runs, complete_scenarios, stored_folder
from harness.cli.console import make_console
from harness.cli.containers import images_app, stack_app
from harness.cli.history import history_app, site, trend
from harness.cli.init import init
from harness.cli.isolate import isolate
from harness.cli.listings import list_defects, list_scenarios
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
    Verbose,
    duration_option,
)
from harness.cli.overrides import as_overrides
from harness.cli.scale import scale
from harness.cli.signoff import signoff_app
from harness.cli.standard_streams import lost_output, need_current_folder
from harness.cli.stored_runs import prune, rm, runs
from harness.errors import Exit, HarnessError
from harness.language import OPTION, choose, language_of
from harness.printable import printable, without_secrets
from harness.process.interrupt import Interrupted, interruptible
from harness.stack.settings import ROOT

app = typer.Typer(
    name="harness",
    help="Load and latency tests of a signal pipeline, with a verdict that can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(stack_app, name="stack")
app.add_typer(images_app, name="images")
app.add_typer(history_app, name="history")
app.add_typer(signoff_app, name="signoff")


_WATCH_NICENESS = 19
Stored = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        callback=stored_folder,
        autocompletion=complete_runs,
        help="A run, a --repeat or a search: its folder, its id below reports/, or latest.",
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    lang: Annotated[
        str | None,
        typer.Option(
            OPTION, metavar="en|zh", help="Language of verdicts and headings; may stand anywhere."
        ),
    ] = None,
) -> None:
    del version, lang  # `main` has read it already


@app.command()
def run(
    scenario: Annotated[
        Path,
        typer.Argument(
            help="Scenario file, or a name of `harness scenarios`.",
            autocompletion=complete_scenarios,
        ),
    ],
    agents: Annotated[int | None, typer.Option(help="Agents, in every stage.")] = None,
    rate: Annotated[float | None, typer.Option(help="Signals/s, in every stage.")] = None,
    duration: Annotated[
        float | None,
        duration_option("Load after the warm-up, all stages together: 90s, 5m, or seconds."),
    ] = None,
    until_decided: Annotated[
        float | None,
        duration_option("Go on while undecided, up to so long after the warm-up."),
    ] = None,
    seed: Seed = None,
    repeat: Annotated[
        int,
        typer.Option(min=1, max=1_000, help="Runs, each with the next seed, judged together."),
    ] = 1,
    settings: Settings = None,
    defect: Defects = None,
    telemetry: Annotated[
        bool, typer.Option(help="Sample the resources of the system once a second.")
    ] = True,
    reports: Reports = REPORTS,
    stack: AnyStack = StackKind.PROCESS,
    images: ImageSet = "upstream",
    image: Images = None,
    agent_containers: AgentContainers = 0,
    contract: ContractFile = None,
    accept_production: AcceptProduction = None,
    redis_port: Annotated[
        int | None, typer.Option(help="Fixed port of Redis; a free one if absent.")
    ] = None,
    postgres_port: Annotated[
        int | None, typer.Option(help="Fixed port of PostgreSQL; a free one if absent.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Serve Prometheus metrics of the run; 0: any port."),
    ] = None,
    metrics_address: Annotated[
        str | None, typer.Option(help="Address to serve them on, instead of 127.0.0.1.")
    ] = None,
    history: HistoryPath = None,
    verbose: Verbose = False,
) -> None:
    """Run a scenario and give a verdict.

    Exit code: 0 PASS, 1 FAIL, 2 wrong usage, 3 INCONCLUSIVE, 4 INVALID, 5 stack not available.
    """
    from harness.cli.progress_outputs import MetricsChoice
    from harness.cli.run_command import run_scenario
    from harness.cli.stack_choice import (
        StackChoice,  # these are slow to import, and only needed here
    )
    from harness.scenario.shipped_scenarios import find_scenario

    overrides = as_overrides(
        agents=agents,
        rate=rate,
        duration=duration,
        until_decided=until_decided,
        seed=seed,
        settings=[*(settings or []), *([] if telemetry else ["telemetry.enabled=false"])],
        defects=defect or [],
    )
    ports = {
        name: port
        for name, port in (("redis", redis_port), ("postgres", postgres_port))
        if port is not None
    }
    choice = StackChoice(
        stack, images, image or [], agent_containers, ports, contract, accept_production
    )
    raise typer.Exit(
        run_scenario(
            find_scenario(scenario),
            overrides,
            reports=reports,
            choice=choice,
            root=ROOT,
            times=repeat,
            metrics=MetricsChoice(metrics_port, metrics_address),
            history=history,
            verbose=verbose,
        )
    )


app.command()(init)
app.command()(isolate)
app.command()(chaos)
app.command()(scale)
app.command()(capacity)
app.command()(compare)


@app.command()
def attach(
    check: Annotated[
        Path, typer.Option("--check", metavar="CONTRACT", help="Contract file of the system.")
    ],
    scenario: Annotated[
        Path | None, typer.Option(help="Scenario that will be run, file or name.")
    ] = None,
    form: Annotated[str, typer.Option("--as", help="list or json.")] = "list",
) -> None:
    """Check a running system against its contract; no signal is sent and nothing is created.

    Exit code: 0 if a run can begin, 2 if contract, rights or scenario are wrong, 5 if a server
    cannot be reached or used now.
    """
    from harness.cli.attach import check_contract  # slow to import, and only needed here

    raise typer.Exit(check_contract(check, scenario, form))


@app.command()
def judge(
    folder: Stored,
    verbose: Verbose = False,
) -> None:
    """Judge the stored evidence of a run again; the exit code is the verdict's."""
    from harness.cli.judge import judge_folder  # slow to import, and only needed here

    raise typer.Exit(judge_folder(folder, verbose=verbose))


@app.command()
def watch(
    run: Annotated[
        str,
        typer.Argument(help="A run's folder or id, or 'latest'.", autocompletion=complete_runs),
    ] = "latest",
    reports: Annotated[Path, typer.Option(help="Where runs lie.")] = Path("reports"),
) -> None:
    """Show a run that is under way in another shell, until it has its verdict.

    The exit code is the verdict's; 0 after Ctrl-C, which ends the watching and not the run.
    """
    # Watching uses only the processor time that the run leaves.
    os.nice(_WATCH_NICENESS)
    from harness.cli.watch import watch_run  # slow to import, and only needed here

    raise typer.Exit(watch_run(run, reports))


@app.command()
def report(
    folder: Stored,
    html: Annotated[Path | None, typer.Option(help="A page that needs no network.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML; - for the terminal.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Markdown; - for the terminal.")] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for samples and telemetry as CSV.")
    ] = None,
    hgrm: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for percentile distributions.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg|FILE.png", help="A card; - prints the SVG."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            autocompletion=complete_runs,
            help="Another run: one page of both.",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Report a run from its stored evidence; without an option, report.html and junit.xml in it.

    Exit code: 0 when everything was written, whatever the verdict.
    """
    from harness.cli.report_files import ReportRequest, report_folder  # slow to import

    wanted = ReportRequest(html=html, junit=junit, markdown=markdown, csv=csv, hgrm=hgrm, card=card)
    if against is not None:
        wanted = replace(wanted, against=stored_folder(against))
    report_folder(folder, wanted, show=show, console=make_console())


app.command()(runs)
app.command()(rm)
app.command()(prune)
app.command()(trend)
app.command()(site)


@app.command()
def scenarios(
    folder: Annotated[Path, typer.Argument(help="Folder of scenario files.")] = ROOT / "scenarios",
) -> None:
    """List the scenarios with one line each."""
    list_scenarios(folder, make_console())


@app.command()
def defects() -> None:
    """List the defects that the reference services can be given."""
    list_defects(ROOT, make_console())


@app.command("diagnose")
def diagnose_run(folder: Stored) -> None:
    """Say why the latency of a run is what it is, whatever its verdict."""
    from harness.cli.judge import diagnose_folder  # slow to import, and only needed here

    diagnose_folder(folder, make_console())


@app.command()
def doctor(
    host_profile: Annotated[
        str | None, typer.Option(help="A bare-metal profile of Zone C, e.g. mpc-signer.")
    ] = None,
) -> None:
    """Say what this host can do, and for what grade it is good."""
    from harness.doctor import check_profile, diagnose, render  # asks the Docker engine

    report = diagnose(ROOT) if host_profile is None else check_profile(host_profile, ROOT)
    make_console().print(render(report))
    raise typer.Exit(int(report.exit_code))


def main() -> None:
    """Entry point: errors that are expected become one message and an exit code."""
    errors = make_console(stderr=True)
    try:
        need_current_folder()
        language, arguments = language_of(sys.argv[1:], os.environ)
        choose(language)
        with interruptible():
            app(arguments)
    except HarnessError as error:
        errors.print(Text.assemble(("error:", "bold red"), " ", str(error)), soft_wrap=True)
        sys.exit(int(error.exit_code))
    except Interrupted as interrupt:
        errors.print(f"{interrupt}; everything that was started has been stopped")
        sys.exit(int(Exit.INVALID))
    except Exception as error:  # Python's own exit code would be 1, which stands for FAIL
        sys.stderr.write(without_secrets(printable(traceback.format_exc())))
        crash = without_secrets(repr(error))
        errors.print(f"a defect of the harness, not a verdict: {crash}", markup=False)
        sys.exit(int(Exit.INVALID))
    finally:
        if lost := lost_output():
            errors.print(f"warning: not everything could be printed: {lost}", markup=False)
