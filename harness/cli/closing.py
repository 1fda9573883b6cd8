"""The end of `harness run` and `harness judge`: what is printed last, and what to do next."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.assessment.assess import RESULT_STORED, Assessment
from harness.clock import NS_PER_S
from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from harness.judge.judgement import CHECK_CRASHED, Judgement
from harness.judge.verdict import Status, Verdict
from harness.process.run_registry import OtherRuns
from harness.report.compact import ClosingHints, closing_lines, compact_lines
from harness.report.data import command_of
from harness.report.diagnosis import render_short
from harness.report.headline import deciding_check
from harness.report.run_description import planned_s
from harness.report.terminal import render
from harness.scenario import Scenario

# Their evidence is whole: what is wrong lies in the judging, or in storing the result.
_JUDGE_AGAIN = (CHECK_CRASHED.id, RESULT_STORED.id)


def show_closing(
    assessment: Assessment, folder: RunFolder, console: Console, *, verbose: bool = False
) -> None:
    """Print the result: what is not ok, or everything, and then how to go on."""
    judgement, width = assessment.judgement, console.width
    if verbose:
        console.print(render(assessment.measurement, judgement, folder.path))
        if assessment.diagnosis is not None:
            console.print(render_short(assessment.diagnosis, folder.path))
    else:
        _print(
            compact_lines(assessment.measurement, judgement, assessment.diagnosis, width), console
        )
    _print(closing_lines(judgement, closing_hints(judgement, folder), width), console)


def closing_hints(judgement: Judgement, folder: RunFolder) -> ClosingHints:
    """The page, what to change, and the next command."""
    at = shlex.quote(shown_path(folder.path))
    check = deciding_check(judgement)
    advice, command = "", f"harness judge {at} -v"
    if judgement.verdict is Verdict.PASS:
        command = f"harness report {at} --open"
    elif judgement.verdict is Verdict.FAIL and check is not None and "limit_ns" in check.figures:
        command = f"harness diagnose {at}"
    elif judgement.verdict is Verdict.INVALID and check is not None:
        advice = check.hint
        command = command if check.id.startswith(_JUDGE_AGAIN) else _again(folder)
    elif longer_s := _longer_s(judgement):
        load = folder.read_scenario().load
        option = "--duration" if load.until_decided_s is None else "--until-decided"
        command = f"{_again(folder)} {option} {math.ceil(planned_s(load) + longer_s)}"
    page = shown_path(folder.html) if folder.html.exists() else ""
    return ClosingHints(page, advice, command.replace("harness", program(), 1))


def program() -> str:
    """How this program is called here, which need not be on the PATH."""
    own, on_path = shown_path(Path(sys.argv[0])), shutil.which("harness")
    if Path(own).name != "harness" or (on_path and shown_path(Path(on_path)) == own):
        return "harness"
    return shlex.quote(own)


def shown_path(path: Path) -> str:
    """A path from here, where it lies below; else the whole of it."""
    try:
        here = Path.cwd()
    except OSError:  # the current folder was removed meanwhile
        return str(path)
    whole = os.path.abspath(path)  # noqa: PTH100 - keeps a link as the user knows it
    return os.path.relpath(whole) if Path(whole).is_relative_to(here) else whole


def announce(run_id: str, scenario: Scenario, plan: str, console: Console) -> None:
    """The first line: what is executed; the scenario's description follows below."""
    for line in (f"run {run_id}: {plan}", f"scenario {scenario.name}: {scenario.about}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def format_other_runs(others: OtherRuns) -> str:
    """That other runs are under way on this host."""
    pids, count = others.pids, others.count
    runs = "another run is" if count == 1 else f"{count} other runs are"
    shown = ["pid " + ", ".join(map(str, pids[:5])) + (", ..." if len(pids) > 5 else "")]
    if others.elsewhere:
        shown = [*(shown if pids else ()), f"{others.elsewhere} in another PID namespace"]
    return (
        f"! {runs} under way on this host ({'; '.join(shown)}): each takes cores and storage from"
        " the others, so no figure of theirs counts"
    )


def _again(folder: RunFolder) -> str:
    try:
        stack = folder.read_json(folder.stack)
    except EvidenceError:
        stack = {}
    whole = shlex.quote(str(folder.scenario))
    own = shlex.quote(shown_path(folder.scenario))
    return command_of(folder, stack).replace(whole, own)


def _longer_s(judgement: Judgement) -> float:
    """How much longer to run so that every objective that is undecided may be decided."""
    found = (
        check.figures.get("longer_ns")
        for check in judgement.checks
        if check.status is Status.INCONCLUSIVE
    )
    return max((ns / NS_PER_S for ns in found if isinstance(ns, int)), default=0.0)


def _print(lines: Iterable[Text], console: Console) -> None:
    for line in lines:
        console.print(line, soft_wrap=True, no_wrap=True)  # wrapped already; commands are whole
