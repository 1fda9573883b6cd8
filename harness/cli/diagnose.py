"""Showing why the latency of a run is what it is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.assessment.assess import assess
from harness.errors import UsageError
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.report.diagnosis import render_diagnosis


def diagnose_folder(path: Path, console: Console) -> None:
    """Tell the whole diagnosis of a stored run, whatever its latency; nothing is written.

    Raises:
        UsageError: it is no run.
        EvidenceError: its evidence is missing or unreadable.
    """
    if GroupFolder.is_at(path):
        raise UsageError(
            "holds several runs", where=str(path), hint="give the folder of one of them"
        )
    folder = RunFolder.open(path)
    found = assess(folder, on_demand=True).diagnosis
    if found is not None:
        console.print(render_diagnosis(found, folder.run_id))
