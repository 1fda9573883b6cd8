"""All checks with their messages, figures and examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.formatting import format_count, format_number
from harness.judge.check import Check, CheckKind, Figure
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status
from harness.report.data import ReportData
from harness.report.html.components import Section
from harness.report.html.formatting import format_duration_html
from harness.report.html.run_timeline import RunTimeline

_TITLES = {
    CheckKind.OBJECTIVE: (
        "Objectives",
        "The objectives of the scenario, compared with the measured phase.",
    ),
    CheckKind.INTEGRITY: (
        "Integrity",
        "Whether every signal was processed exactly once and correctly: nothing lost or duplicated,"
        " every row and booking correct. A violation is a FAIL whatever the latency.",
    ),
    CheckKind.VALIDITY: (
        "Validity",
        "Whether the run is a valid measurement: a generator on time, an observer that missed"
        " nothing, complete evidence.",
    ),
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check as the page shows it.

    Attributes:
        label: its status as text.
        style: CSS class of the label.
        summary: label of the figures and examples, which the reader can open.
    """

    name: str
    verdict: str
    label: str
    style: str
    message: str
    figures: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class CheckGroup:
    """The checks of a kind."""

    key: str
    title: str
    about: str
    checks: tuple[CheckRow, ...]


def checks_section(data: ReportData, _: RunTimeline) -> Section:
    """Every check."""
    return Section(
        "checks",
        "All checks",
        "Every check of the run. The worst status is the verdict: FAIL, then INVALID, then"
        " INCONCLUSIVE.",
        template="checks.html.j2",
        content=tuple(group_checks(data.judgement)),
    )


def group_checks(judgement: Judgement) -> Iterator[CheckGroup]:
    """By kind; checks that do not pass come first."""
    for kind, (title, about) in _TITLES.items():
        checks = judgement.of(kind)
        if checks:
            rows = sorted(map(_row, checks), key=lambda row: row.label == "ok")
            yield CheckGroup(kind.value, title, about, tuple(rows))


def _row(check: Check) -> CheckRow:
    label, style = check.status.value, check.status.value.lower()
    if check.status is Status.NOT_APPLICABLE:
        label, style = "not applicable", "unjudged"
    elif check.status.is_clean:
        label = "ok"
    figures = tuple((name, _text(name, value)) for name, value in check.figures.items())
    parts = []
    if figures:
        parts.append(f"{len(figures)} figure{'' if len(figures) == 1 else 's'}")
    if check.examples:
        parts.append(f"{len(check.examples)} example{'' if len(check.examples) == 1 else 's'}")
    return CheckRow(
        name=check.name,
        verdict=check.status.verdict.value,
        label=label,
        style=style,
        message=check.message,
        figures=figures,
        examples=check.examples,
        summary=", ".join(parts),
    )


def _text(name: str, value: Figure) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if name.endswith("_ns"):
        return format_duration_html(value)
    return format_count(value) if isinstance(value, int) else format_number(value)
