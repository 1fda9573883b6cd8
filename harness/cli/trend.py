"""`harness trend`: the runs in a folder of reports, question by question."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.assessment.result import Result, read_unverified
from harness.cli.standard_streams import emit
from harness.errors import HarnessError, UsageError
from harness.evidence.run_folder import RunFolder
from harness.formatting import format_duration_fixed
from harness.judge.verdict import Verdict
from harness.printable import spreadsheet_cell
from harness.report.run_description import describe_run
from harness.report.trend import Trend, TrendPoint, trends_of
from harness.scenario import Scenario

FORMS = ("table", "csv", "json")
# Durations in ns, as their names say; empty where a run has no such figure.
NOT_VERIFIED = "NOT VERIFIED"
COLUMNS = (
    "run_id", "scenario", "seed", "verdict", "grade", "objective", "estimate_ns", "lower_ns",
    "upper_ns", "change", "unverified",
)  # fmt: skip


def show_trends(folder: Path, scenario: str | None, form: str, console: Console) -> None:
    """Print the runs below a folder, those of a --repeat included.

    Raises:
        UsageError: no such folder or form, or no run in it that has a result.
    """
    if form not in FORMS:
        raise UsageError(f"there is no form {form!r}", where="--as", hint=", ".join(FORMS))
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))
    left_out: list[str] = []
    trends = trends_of(_runs(folder, scenario, left_out))
    if not trends:
        more = f"; {len(left_out)} could not be read, as {left_out[0]}" if left_out else ""
        raise UsageError(f"holds no run with a result{more}", where=str(folder))
    if form == "table":
        for trend in trends:
            _print(trend, console)
        for line in left_out:
            console.print(f"left out: {line}", style="yellow", markup=False, soft_wrap=True)
        return
    rows = [_row(night) for trend in trends for night in trend.points]
    if form == "json":
        text = json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows])
        # Two of them begin a command of some CI systems; in JSON they stand in texts only.
        emit(text.replace("##", "#\\u0023") + "\n")
        return
    shown = [
        [spreadsheet_cell(own) if isinstance(own, str) else own for own in row] for row in rows
    ]
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *shown])
    emit(table.getvalue())


def _runs(
    folder: Path, scenario: str | None, left_out: list[str]
) -> Iterator[tuple[Scenario, Result, str]]:
    found = [path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/plan.json")]
    for path in sorted(found):
        try:
            if path.is_symlink():
                raise UsageError("is a symbolic link, which is not followed")
            run = RunFolder.open(path)
            asked = run.read_scenario()
            if scenario in (None, asked.name):
                yield asked, *read_unverified(run)
        except HarnessError as error:
            left_out.append(f"{path.name}: {error.what}")


def _row(night: TrendPoint) -> Sequence[object]:
    values = (getattr(night, name) for name in COLUMNS)
    return [_verdict(night) if isinstance(value, Verdict) else value for value in values]


def _verdict(night: TrendPoint) -> str:
    """The stored verdict, or that it cannot be believed."""
    return NOT_VERIFIED if night.unverified else night.verdict.name


def _print(trend: Trend, console: Console) -> None:
    question = trend.question
    console.print()
    plan = describe_run(question.load)
    console.print(Text(f"{question.name}: {plan}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("run", "seed", "verdict", "grade"):
        table.add_column(head)
    for head in (trend.points[-1].objective or "-", "from", "to"):
        table.add_column(head, justify="right")
    table.add_column("")
    for night in trend.points:
        durations = (night.estimate_ns, night.lower_ns, night.upper_ns)
        table.add_row(
            night.run_id,
            str(night.seed),
            _verdict(night),
            night.grade,
            *(format_duration_fixed(value) for value in durations),
            Text(night.change, style="bold"),
        )
    console.print(table)
    for night in trend.points:
        if night.unverified:
            text = f"{NOT_VERIFIED}: {night.run_id}: its result {night.unverified}"
            console.print(text, style="yellow", markup=False, soft_wrap=True)
