"""The result of a group of runs, for a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.assessment.group import GroupJudgement
from harness.formatting import format_duration_fixed
from harness.report.terminal import VERDICT_STYLES, grade_view


def render_group(judgement: GroupJudgement, path: Path) -> RenderableType:
    """Verdict, each run, the checks of the group, grade and the evidence folder."""
    return Group(
        Text(),
        Text.assemble(
            (f" {judgement.verdict.name} ", VERDICT_STYLES[judgement.verdict]),
            ("  " + group_headline(judgement), "bold"),
        ),
        Text(),
        Text("runs", style="bold cyan"),
        Padding(_runs(judgement), (0, 0, 0, 2)),
        Text(),
        Text("group checks", style="bold cyan"),
        Padding(_checks(judgement), (0, 0, 0, 2)),
        Text(),
        Text("grade", style="bold cyan"),
        Padding(grade_view(judgement.grade), (0, 0, 0, 2)),
        Text(),
        Text(f"runs and result in {path}", style="dim"),
        Text(f"judge again with: harness judge {path}", style="dim"),
    )


def group_headline(judgement: GroupJudgement) -> str:
    """The first deciding check in one sentence."""
    deciding = [check for check in judgement.checks if check.status.verdict is judgement.verdict]
    return f"{deciding[0].name}: {deciding[0].message}" if deciding else "every run passes"


def _runs(judgement: GroupJudgement) -> Table:
    ids = list(dict.fromkeys(own for run in judgement.runs for own in run.estimates_ns))
    checks = {check.id: check for check in judgement.checks}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("run", "seed", "verdict"):
        table.add_column(head)
    for own in ids:
        table.add_column(checks[own].name if own in checks else own, justify="right")
    for run in judgement.runs:
        table.add_row(
            run.run_id,
            str(run.seed),
            run.verdict.name,
            *(format_duration_fixed(run.estimates_ns.get(own)) for own in ids),
        )
    for name_of_row, figure in (("mean", "mean_ns"), ("standard deviation", "sd_ns")):
        cells = [checks[own].figures.get(figure) if own in checks else None for own in ids]
        shown = [format_duration_fixed(cell) if isinstance(cell, float) else "-" for cell in cells]
        table.add_row(name_of_row, "", "", *shown, style="dim")
    return table


def _checks(judgement: GroupJudgement) -> Table:
    table = Table.grid(padding=(0, 2))
    for check in judgement.checks:
        status = "ok" if check.status.is_clean else check.status.name
        style = "green" if check.status.is_clean else "bold red"
        table.add_row(Text(status, style=style), Text(check.name), Text(check.message))
    return table
