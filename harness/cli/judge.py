"""Stored runs: judged again, and diagnosed."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.assessment.assess import assess, reassess
from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.scale_folder import ScaleFolder
from harness.cli.closing import show_closing
from harness.cli.console import make_console
from harness.cli.report_files import (
    report_after,
    report_capacity_after,
    report_group_after,
    report_scale_after,
    summarise,
)
from harness.cli.scale_run import judge_experiment
from harness.errors import UsageError
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.capacity import judge_search
from harness.experiments.repeat import judge_again
from harness.report.capacity import render_capacity
from harness.report.diagnosis import render_diagnosis
from harness.report.group import render_group
from harness.report.scale import render_scale


def judge_folder(path: Path, *, verbose: bool = False) -> int:
    """Judge stored evidence of a run, or of several together, again; the verdict's exit code."""
    console = make_console()

    def warn(why: str) -> None:
        text = f"warning: this judgement is not stored: {why}; an older one may lie there"
        console.print(text, style="yellow", markup=False, soft_wrap=True)

    if CapacityFolder.is_at(path):
        search = CapacityFolder.open(path)
        result = judge_search(search)
        report_capacity_after(search, result, console)
        console.print(render_capacity(result, search.path))
        return result.exit_code
    if ScaleFolder.is_at(path):
        return _judge_experiment(ScaleFolder.open(path), console)
    if GroupFolder.is_at(path):
        group = GroupFolder(path.absolute())
        judgement = judge_again(group, warn)
        for run_id in group.read().runs:
            report_after(RunFolder.open(group.run_path(run_id)), console)
        report_group_after(group, judgement, console)
        console.print(render_group(judgement, group.path))
        return judgement.exit_code
    folder = RunFolder.open(path)
    assessment = reassess(folder, warn)
    report_after(folder, console)
    summarise(folder, console)
    show_closing(assessment, folder, console, verbose=verbose)
    return assessment.judgement.exit_code


def _judge_experiment(folder: ScaleFolder, console: Console) -> int:
    result = judge_experiment(folder)
    report_scale_after(folder, result, console)
    console.print(render_scale(result, folder.path))
    return result.exit_code


def diagnose_folder(path: Path, console: Console) -> None:
    """Show the whole diagnosis of a stored run, whatever its latency; nothing is written.

    Raises:
        UsageError: it is no run.
        EvidenceError: its evidence is missing or unreadable.
    """
    if any(kind.is_at(path) for kind in (GroupFolder, CapacityFolder, ScaleFolder)):
        raise UsageError(
            "holds several runs", where=str(path), hint="give the folder of one of them"
        )
    folder = RunFolder.open(path)
    found = assess(folder, on_demand=True).diagnosis
    if found is not None:
        console.print(render_diagnosis(found, folder.run_id))
