"""What rounds of random faults come to, as a person reads it at a glance."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.assessment.chaos import ChaosResult
from harness.formatting import format_count, format_duration_fixed
from harness.judge.verdict import Verdict
from harness.report.terminal import VERDICT_STYLES

_HEADS = (
    *("fault", "rounds", "unclean", "first signal: median", "worst", "backlog gone: median"),
    *("worst", "lost", "duplicated", "refused"),
)
_UNCLEAN_SHOWN = 10


def render_chaos(result: ChaosResult, path: Path) -> RenderableType:
    """Verdict, a row for each fault, what was not clean, and where the evidence is."""
    clean = sum(one.verdict is Verdict.PASS for one in result.rounds)
    headline = f"  {clean} of {result.planned} rounds made and clean"
    return Group(
        Text(),
        Text.assemble(
            (f" {result.verdict.name} ", VERDICT_STYLES[result.verdict]), (headline, "bold")
        ),
        Text(),
        Padding(_table(result), (0, 0, 0, 2)),
        *_unclean(result),
        Text(),
        Text(f"rounds and result in {path}", style="dim"),
        Text(f"go on, or judge again, with: harness chaos {path}", style="dim"),
    )


def _table(result: ChaosResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(_HEADS):
        table.add_column(head, justify="right" if number else "left")
    for kind in result.kinds:
        table.add_row(
            kind.fault,
            format_count(kind.rounds),
            format_count(kind.unclean),
            format_duration_fixed(kind.first_median_ns),
            format_duration_fixed(kind.first_worst_ns),
            format_duration_fixed(kind.backlog_median_ns),
            format_duration_fixed(kind.backlog_worst_ns),
            *(format_count(number) for number in (kind.lost, kind.duplicated, kind.refused)),
        )
    return table


def _unclean(result: ChaosResult) -> list[Text]:
    unclean = [one for one in result.rounds if one.verdict is not Verdict.PASS]
    lines = [
        Text(f"  round {one.number}, {one.fault}: {one.verdict.name}: {reason}")
        for one in unclean[:_UNCLEAN_SHOWN]
        for reason in one.reasons[:2]
    ]
    more = len(unclean) - _UNCLEAN_SHOWN
    return lines + ([Text(f"  and {more} more, in result.json")] if more > 0 else [])
