"""The list of named defects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.stack.defect_catalogue import read_catalogue


def list_defects(root: Path, console: Console) -> None:
    """Print one line for each defect of the reference services.

    Raises:
        UsageError: the reference services are not here.
    """
    table = Table("defect", "what the engine does", "unless told otherwise", box=None)
    table.pad_edge = False
    for defect in read_catalogue(root).values():
        table.add_row(defect.name, defect.about, _text({**defect.when, **defect.settings}))
    console.print(table)


def _text(values: Mapping[str, float]) -> str:
    return ",".join(f"{key}={value:g}" for key, value in values.items())
