"""The page of runs over time: changes, a figure for each objective, and every run in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.evidence.history import HistoryLine
from harness.formatting import format_count
from harness.report.history import HistoryRun
from harness.report.html.components import MissingChart, Part, Section
from harness.report.html.page import render_history
from harness.report.html.summary import Fact
from harness.report.html.trend_chart import trend_chart
from harness.report.trend import (
    COMMIT_DIGITS,
    Trend,
    TrendChange,
    TrendSeries,
    change_summary,
    change_text,
    format_value,
    trend_title,
)

# A page that everyone can open: sections, figures and rows; the newest ones stay.
TRENDS_MAX = 100
CHARTS_MAX = 40
ROWS_MAX = 2_000
CHANGES_MAX = 20
LEFT_OUT_MAX = 100


@dataclass(frozen=True, slots=True)
class ChangeNote:
    """A change in the list at the top.

    Attributes:
        anchor: of its figure.
    """

    scenario: str
    objective: str
    direction: str
    is_bad: bool
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything above the first section.

    Attributes:
        newest: id of the newest run.
        changes_left: number of changes that are not listed.
        left_out: what could not be read, or was too much.
    """

    newest: str
    headline: str
    changes: tuple[ChangeNote, ...]
    changes_left: int
    facts: tuple[Fact, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the table.

    Attributes:
        style: class of the verdict's tag.
        link: of its report; empty without one.
    """

    run_id: str
    scenario: str
    stack: str
    verdict: str
    style: str
    link: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """A column that the table is filtered by, and its values."""

    name: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunTable:
    """The table of runs, for `templates/runs.html.j2`."""

    heads: tuple[str, ...]
    rows: tuple[RunRow, ...]
    choices: tuple[FilterChoice, ...]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A series with the anchor of its figure."""

    trend: Trend
    series: TrendSeries
    key: str
    title: str


def history_page(
    trends: Sequence[Trend], links: Mapping[str, str], left_out: Sequence[str] = ()
) -> str:
    """One file that shows all runs and needs no network.

    Args:
        trends: of all runs.
        links: addresses of reports, by run id.
        left_out: what could not be read, a line each.
    """
    sections: list[Section] = []
    figures: list[_Figure] = []
    shown = _newest(trends)
    for number, (trend, title) in enumerate(zip(shown, _titles(shown), strict=True), 1):
        own = [
            _Figure(trend, series, f"t{number}-{position}", title)
            for position, series in enumerate(trend.series, 1)
        ]
        sections.append(_section(f"t{number}", title, own, trend, len(figures)))
        figures += own
    runs = sorted(
        (run for trend in trends for run in trend.runs),
        key=lambda run: (run.line.time, run.line.run_id),
        reverse=True,
    )
    more = [
        f"{count - most} {what}"
        for count, most, what in (
            (len(runs), ROWS_MAX, "older runs of the table"),
            (len(trends), TRENDS_MAX, "sections of series without recent runs"),
        )
        if count > most
    ]
    return render_history(
        _overview(figures, runs, [*left_out[:LEFT_OUT_MAX], *more]),
        [*sections, _runs_section(runs[:ROWS_MAX], links)],
    )


def _newest(trends: Sequence[Trend]) -> list[Trend]:
    """Those with the newest runs, in the same order."""
    by_time = sorted(trends, key=lambda trend: trend.newest.time, reverse=True)
    kept = {trend.key for trend in by_time[:TRENDS_MAX]}
    return [trend for trend in trends if trend.key in kept]


def _titles(trends: Sequence[Trend]) -> Iterator[str]:
    """A title for each trend; equal ones, of another question or host, are numbered."""
    seen = Counter[str]()
    for trend in trends:
        title = trend_title(trend)
        seen[title] += 1
        yield title if seen[title] == 1 else f"{title} ({seen[title]})"


def _overview(
    figures: Sequence[_Figure], runs: Sequence[HistoryRun], left_out: Sequence[str]
) -> Overview:
    changes = sorted(
        ((change, one) for one in figures for change in one.series.changes),
        key=lambda pair: (pair[0].after.time, pair[0].after.run_id),
        reverse=True,
    )
    bad = sum(change.direction.is_bad for change, _ in changes)
    waiting = sum(1 for one in figures if one.series.runs_missing)
    return Overview(
        newest=runs[0].line.run_id if runs else "",
        headline=_headline(changes[0] if changes else None, len(figures) - waiting),
        changes=tuple(_note(change, one) for change, one in changes[:CHANGES_MAX]),
        changes_left=max(0, len(changes) - CHANGES_MAX),
        facts=(
            Fact("runs", format_count(len(runs))),
            Fact("series", format_count(len(figures))),
            Fact("series with too few runs", format_count(waiting)),
            Fact("changes to the worse", format_count(bad)),
            Fact("changes to the better", format_count(len(changes) - bad)),
        ),
        left_out=tuple(left_out),
    )


def _headline(newest: tuple[TrendChange, _Figure] | None, searched: int) -> str:
    if newest is None:
        return f"No change in {format_count(searched, 'series', 'series')} with enough runs."
    change, one = newest
    what = f"{one.trend.key.scenario}, {one.series.metric.objective}"
    return f"{what}: {change_summary(one.series, change)}"


def _note(change: TrendChange, one: _Figure) -> ChangeNote:
    return ChangeNote(
        scenario=one.trend.key.scenario,
        objective=one.series.metric.objective,
        direction=change.direction.value,
        is_bad=change.direction.is_bad,
        text=change_text(one.series, change),
        anchor=one.key,
    )


def _section(key: str, title: str, figures: Sequence[_Figure], trend: Trend, drawn: int) -> Section:
    most = max(0, CHARTS_MAX - drawn)
    parts = [trend_chart(one.series, one.key, one.title) for one in figures[:most]]
    missing: list[Part] = [
        MissingChart(one.key, one.series.metric.objective, f"a page has {CHARTS_MAX} figures")
        for one in figures[len(parts) :]
    ]
    found: list[Part] = [*parts, *missing]
    return Section(
        key,
        title,
        f"{trend.newest.plan}; {trend.newest.host_text}.",
        tuple(found[:1]),
        () if found else ("No run of it has a figure that counts.",),
        tuple(found[1:]),
        "Other objectives",
    )


def _runs_section(runs: Sequence[HistoryRun], links: Mapping[str, str]) -> Section:
    content = RunTable(
        heads=("run", "verdict", "begin (UTC)", "figures", "commit", "scenario", "stack", "grade"),
        rows=tuple(_row(run, links) for run in runs),
        choices=tuple(_choices(runs)),
    )
    lead = "Every run, the newest first; a link leads to the report of a run."
    return Section("runs", "Runs", lead, template="runs.html.j2", content=content)


def _choices(runs: Sequence[HistoryRun]) -> Iterator[FilterChoice]:
    yield FilterChoice("scenario", tuple(sorted({run.line.scenario for run in runs})))
    yield FilterChoice("verdict", tuple(sorted({run.verdict for run in runs})))
    yield FilterChoice("stack", tuple(sorted({run.line.stack for run in runs})))


def _row(run: HistoryRun, links: Mapping[str, str]) -> RunRow:
    line = run.line
    return RunRow(
        run_id=line.run_id,
        scenario=line.scenario,
        stack=line.stack,
        verdict=run.verdict,
        style=line.verdict.lower() if not run.unverified else "invalid",
        link=links.get(line.run_id, ""),
        cells=(
            line.time.replace("T", " ").removesuffix("Z"),
            "; ".join(_figures(line)),
            line.commit[:COMMIT_DIGITS] + ("+" if line.modified else ""),
            line.scenario,
            f"{line.stack} {line.system}".strip(),
            line.grade,
        ),
    )


def _figures(line: HistoryLine) -> Iterator[str]:
    for metric in line.metrics:
        value, least = metric.estimate, ""
        if value is None and metric.lower is not None:
            value, least = metric.lower, "at least "
        yield f"{metric.objective}: {least}{format_value(metric, value)}"
