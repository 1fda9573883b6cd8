"""`harness history`, `harness trend` and `harness site`: runs over weeks and months."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console
from harness.cli.options import history_path

history_app = typer.Typer(
    help="The history of runs: a file with a line for each.", no_args_is_help=True
)

History = Annotated[
    Path,
    typer.Argument(
        metavar="HISTORY",
        callback=history_path,
        help="FILE.jsonl, or a folder with a file a month.",
    ),
]
Histories = Annotated[
    list[Path] | None,
    typer.Option("--history", metavar="FILE", help="History of runs; may be repeated."),
]


@history_app.command()
def add(
    history: History,
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs, groups, searches, or of all of them.")
    ],
) -> None:
    """Add stored runs; those that are there already are left as they are.

    HARNESS_COMMIT names the commit of the tested system, where it is not in this repository.
    """
    from harness.cli.history_files import add_runs  # slow to import, and only needed here

    add_runs(history, runs, make_console())


@history_app.command()
def merge(
    history: History,
    sources: Annotated[list[Path], typer.Argument(help="Histories whose lines are added.")],
) -> None:
    """Add the lines of other histories; each run counts once, and no line is lost."""
    from harness.cli.history_files import merge as merge_files  # slow to import

    merge_files(history, sources, make_console())


def trend(
    reports: Annotated[
        Path | None, typer.Argument(help="Folder of runs; reports/ without --history.")
    ] = None,
    history: Histories = None,
    scenario: Annotated[str | None, typer.Option(help="Only runs of this scenario.")] = None,
    form: Annotated[str, typer.Option("--as", help="table, csv or json.")] = "table",
    html: Annotated[
        Path | None, typer.Option(help="Draw them: a page that needs no network.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="The newest series as Markdown for a CI job; - for the terminal."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="The newest series as a drawing; - for the terminal.")
    ] = None,
) -> None:
    """Show runs of the same question over time, and from which run on their level changed."""
    from harness.cli.trend import show_trends  # slow to import
    from harness.cli.trend_pictures import TrendPictures

    pictures = TrendPictures(markdown, svg)
    show_trends(reports, history or [], scenario, form, html, make_console(), pictures)


def site(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where index.html goes.")],
    history: Histories = None,
    reports: Annotated[
        Path | None, typer.Option(help="Folder of runs, whose reports are copied to the site.")
    ] = None,
) -> None:
    """Write a static page over all runs, which CI can publish; it needs no network.

    Reports that an earlier call copied stay, so that their links do.
    """
    from harness.cli.site import write_site  # slow to import

    write_site(folder, history or [], reports, make_console())
