"""A report as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.doctor.report import Finding, Level, Report, SignoffRequirement

_NEEDS_TITLE = "The machine that a sign-off needs"
_MARKS = {Level.OK: ("ok", "green"), Level.WARN: ("warn", "yellow"), Level.BAD: ("bad", "bold red")}


def render(report: Report) -> RenderableType:
    """A table of what was found, and the conclusion below it."""
    table = Table(title=report.title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("found", ratio=2)
    table.add_column("means; what to do", ratio=3)
    for finding in report.findings:
        words, style = _MARKS[finding.level]
        table.add_row(
            Text(words, style=style), Text(finding.topic), Text(finding.found), _meaning(finding)
        )
    lines = [Text(report.conclusion, style="bold")]
    if report.reasons:
        lines.append(Text(f"what stands in the way of more: {', '.join(report.reasons)}"))
    tables = (table, _needs(report.needs)) if report.needs else (table,)
    return Group(*tables, *lines)


def _needs(needs: Sequence[SignoffRequirement]) -> Table:
    table = Table(title=_NEEDS_TITLE, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("needed", ratio=3)
    table.add_column("here", ratio=2)
    for need in needs:
        words, style = _MARKS[Level.OK if need.is_met else Level.WARN]
        table.add_row(
            Text(words if need.is_met else "less", style=style),
            Text(need.name),
            Text(need.needed),
            Text(need.here),
        )
    return table


def _meaning(finding: Finding) -> Text:
    text = Text(finding.means)
    if finding.todo:
        text.append(f"\n→ {finding.todo}", style="cyan")
    return text
