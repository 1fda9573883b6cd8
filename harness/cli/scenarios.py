"""The list of scenarios."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.errors import UsageError
from harness.scenario import Load, load_scenario


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
        table.add_row(str(place), scenario.about, _length_text(scenario.load))
    console.print(table)


def _length_text(load: Load) -> str:
    """Seconds of load, warm-up included; from the first analysis to the last where it may go on."""
    seconds = sum(stage.duration_s for stage in load.timeline())
    if load.until_decided_s is None:
        return f"{seconds:.0f} s"
    return f"{seconds - load.until_decided_s + load.stages[0].duration_s:.0f} to {seconds:.0f} s"
