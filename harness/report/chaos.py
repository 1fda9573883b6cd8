"""The result of rounds of random faults, for a terminal."""

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
    *("fault", "rounds", "not passed", "first signal: median", "worst", "backlog cleared: median"),
    *("worst", "lost", "duplicated", "refused"),
)
_ROUNDS_SHOWN = 10


def render_chaos(result: ChaosResult, path: Path) -> RenderableType:
    """Verdict, a row for each fault, the rounds that did not pass, and the evidence folder."""
    passed = sum(one.verdict is Verdict.PASS for one in result.rounds)
    headline = f"  {passed} of {result.planned} rounds passed"
    return Group(
        Text(),
        Text.assemble(
            (f" {result.verdict.name} ", VERDICT_STYLES[result.verdict]), (headline, "bold")
        ),
        Text(),
        Padding(_table(result), (0, 0, 0, 2)),
        *_not_passed(result),
        Text(),
        Text(f"rounds and result in {path}", style="dim"),
        Text(f"continue or judge again with: harness chaos {path}", style="dim"),
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


def _not_passed(result: ChaosResult) -> list[Text]:
    failed = [one for one in result.rounds if one.verdict is not Verdict.PASS]
    lines = [
        Text(f"  round {one.number}, {one.fault}: {one.verdict.name}: {reason}")
        for one in failed[:_ROUNDS_SHOWN]
        for reason in one.reasons[:2]
    ]
    more = len(failed) - _ROUNDS_SHOWN
    return lines + ([Text(f"  and {more} more, in result.json")] if more > 0 else [])
