"""`harness trend`: the runs of histories and reports, series by series."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli.history_files import runs_of_histories, runs_of_reports, show_left_out
from harness.cli.standard_streams import emit
from harness.cli.trend_pictures import TrendPictures, write_pictures
from harness.errors import UsageError, choice_hint
from harness.evidence import atomic_files
from harness.printable import spreadsheet_cell
from harness.report.history import NOT_VERIFIED, HistoryRun
from harness.report.html.history_page import history_page
from harness.report.trend import (
    COLUMNS,
    Trend,
    TrendSeries,
    change_text,
    format_value,
    rows,
    series_text,
    trend_title,
    trends_of,
)

FORMS = ("table", "csv", "json")
REPORTS = Path("reports")
NO_PICTURES = TrendPictures()


def show_trends(
    reports: Path | None,
    histories: Sequence[Path],
    scenario: str | None,
    form: str,
    html: Path | None,
    console: Console,
    pictures: TrendPictures = NO_PICTURES,
) -> None:
    """Print, or draw, the runs of a folder of reports and of histories together.

    Args:
        reports: folder of runs; see `read_runs`.
        histories: files or folders.
        scenario: name of the only one that is shown; None for all.
        form: one of `FORMS`.
        html: where a page goes, instead of the text; None for none.
        console: shows the table.
        pictures: where the newest series is drawn, in addition.

    Raises:
        UsageError: no such file, folder, form or scenario, or no run with a result.
        EvidenceError: a file cannot be read or written.
    """
    if form not in FORMS:
        raise UsageError(f"there is no form {form!r}", where="--as", hint=choice_hint(form, FORMS))
    left_out: list[str] = []
    trends = trends_of(read_runs(reports, histories, left_out))
    if scenario is not None:
        trends = _of_scenario(trends, scenario)
    write_pictures(trends, pictures)
    if pictures.on_terminal:
        return
    if html is not None:
        if not html.absolute().parent.is_dir():
            raise UsageError("there is no such folder", where=str(html.absolute().parent))
        atomic_files.write_text(html, history_page(trends, {}, left_out))
        console.print(f"written: {html}", markup=False, highlight=False, soft_wrap=True)
    elif form == "table":
        for trend in trends:
            _print(trend, console)
        show_left_out(left_out, console)
    else:
        emit(_json(trends) if form == "json" else _csv(trends))


def read_runs(
    reports: Path | None, histories: Sequence[Path], left_out: list[str]
) -> list[HistoryRun]:
    """The runs of histories and of a folder of reports, each once, in order of time.

    Args:
        reports: folder; None: `reports` where there is no history either.
        histories: files or folders.
        left_out: receives what cannot be read.

    Raises:
        UsageError: no such file or folder, or no run with a result.
        EvidenceError: a file cannot be read.
    """
    runs = runs_of_histories(histories, left_out)
    folder = reports or (None if histories else REPORTS)
    if folder is not None:
        runs += runs_of_reports(folder, left_out)
    # A result that lies there counts more than what a history says of it.
    latest = {run.line.run_id: run for run in runs}
    if not latest:
        more = f"; {len(left_out)} could not be read, as {left_out[0]}" if left_out else ""
        where = ", ".join(str(one) for one in [*histories, *([folder] if folder else [])])
        raise UsageError(f"holds no run with a result{more}", where=where)
    return sorted(latest.values(), key=lambda run: (run.line.time, run.line.run_id))


def _of_scenario(trends: Sequence[Trend], scenario: str) -> tuple[Trend, ...]:
    found = tuple(trend for trend in trends if trend.key.scenario == scenario)
    if not found:
        known = {trend.key.scenario for trend in trends}
        hint = choice_hint(scenario, known)
        raise UsageError(f"there is no run of {scenario!r}", where="--scenario", hint=hint)
    return found


def _json(trends: Sequence[Trend]) -> str:
    text = json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows(trends)])
    # Two of them begin a command of some CI systems; in JSON they stand in texts only.
    return text.replace("##", "#\\u0023") + "\n"


def _csv(trends: Sequence[Trend]) -> str:
    shown = [
        [spreadsheet_cell(own) if isinstance(own, str) else own for own in row]
        for row in rows(trends)
    ]
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *shown])
    return table.getvalue()


def _print(trend: Trend, console: Console) -> None:
    console.print()
    console.print(Text(f"{trend_title(trend)}: {trend.newest.plan}"), soft_wrap=True)
    console.print(Text(f"host: {trend.newest.host_text}", style="dim"), soft_wrap=True)
    main = trend.series[0] if trend.series else None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold")  # whole: other commands take it
    for head in ("seed", "verdict", "grade"):
        table.add_column(head)
    for head in (main.metric.objective if main else "-", "from", "to"):
        table.add_column(head, justify="right")
    table.add_column("")
    for run in trend.runs:
        table.add_row(*_cells(run, main))
    console.print(table)
    for series in trend.series:
        console.print(Text(f"{series.metric.objective}: {series_text(series)}"), soft_wrap=True)
        for change in series.changes[:-1]:
            console.print(Text(f"  before: {change_text(series, change)}"), soft_wrap=True)
    for run in trend.runs:
        if run.unverified:
            text = f"{NOT_VERIFIED}: {run.line.run_id}: its result {run.unverified}"
            console.print(text, style="yellow", markup=False, soft_wrap=True)


def _cells(run: HistoryRun, main: TrendSeries | None) -> list[str | Text]:
    line = run.line
    own = next((one for one in line.metrics if main and one.id == main.metric.id), None)
    figures = ["-"] * 3
    if own is not None:
        figures = [format_value(own, one) for one in (own.estimate, own.lower, own.upper)]
    changes = {one.after.run_id: one.direction.value for one in main.changes} if main else {}
    return [
        *(line.run_id, str(line.seed), run.verdict, line.grade),
        *figures,
        Text(changes.get(line.run_id, ""), style="bold"),
    ]
