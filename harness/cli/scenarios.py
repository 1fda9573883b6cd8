"""The list of scenarios."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.errors import UsageError
from harness.report.run_description import describe_run
from harness.scenario import load_scenario


def list_scenarios(folder: Path, console: Console) -> None:
    """Print one line for each scenario file, by its place; a broken one is named, not skipped.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))
    table = Table("scenario", "what it asks", "load", box=None, pad_edge=False)
    for path in sorted(folder.rglob("*.toml"), key=lambda path: (path.parent, path)):
        place = path.relative_to(folder).with_suffix("")
        try:
            scenario = load_scenario(path)
        except UsageError as error:
            table.add_row(str(place), str(error).partition("\n")[0], "", style="red")
            continue
        load = scenario.load
        table.add_row(str(place), scenario.about, describe_run(load))
    console.print(table)
