"""The outcome of an isolation experiment, for a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.assessment.isolation_result import IsolationJudgement, IsolationOutcome
from harness.formatting import format_count, format_duration_fixed

_STYLES = {
    IsolationOutcome.ISOLATED: "bold white on green",
    IsolationOutcome.NOT_ISOLATED: "bold white on red",
    IsolationOutcome.CANNOT_TELL: "bold black on yellow",
}


def render_isolation(judgement: IsolationJudgement, path: Path) -> RenderableType:
    """Outcome, reasons, the pairs of blocks, and the evidence folder."""
    first, *rest = judgement.because
    return Group(
        Text(),
        Text.assemble(
            (f" {judgement.outcome.value.upper()} ", _STYLES[judgement.outcome]),
            ("  " + first, "bold"),
        ),
        *(Text(f"  {reason}") for reason in rest),
        Text(),
        Text("blocks", style="bold cyan"),
        Padding(_pairs(judgement), (0, 0, 0, 2)),
        Text(),
        Padding(Text(_change(judgement)), (0, 0, 0, 2)),
        Text(),
        Text(f"evidence and result in {path}", style="dim"),
        Text(f"judge again with: harness isolate {path}", style="dim"),
    )


def _pairs(judgement: IsolationJudgement) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("pair", "first", "P99 baseline", "P99 treatment", "change", "signals", "proof"):
        table.add_column(head, justify="left" if head in ("first", "proof") else "right")
    for pair in sorted({block.pair for block in judgement.blocks}):
        own = [block for block in judgement.blocks if block.pair == pair]
        baseline = next(block for block in own if not block.is_treatment)
        treatment = next(block for block in own if block.is_treatment)
        change = (
            None
            if baseline.p99_ns is None or treatment.p99_ns is None
            else treatment.p99_ns - baseline.p99_ns
        )
        table.add_row(
            str(pair + 1),
            "treatment" if own[0].is_treatment else "baseline",
            format_duration_fixed(baseline.p99_ns),
            format_duration_fixed(treatment.p99_ns),
            format_duration_fixed(change),
            f"{format_count(baseline.signals)} + {format_count(treatment.signals)}",
            Text(treatment.force or "missing"),
        )
    return table


def _change(judgement: IsolationJudgement) -> str:
    pooled = (
        f"P99 over all blocks: {format_duration_fixed(judgement.baseline_p99_ns)} baseline,"
        f" {format_duration_fixed(judgement.treatment_p99_ns)} treatment"
    )
    change = judgement.change
    if change is None:
        return pooled
    return (
        f"{pooled}\nchange of the P99: {format_duration_fixed(change.estimate_ns)}, between"
        f" {format_duration_fixed(change.lower_ns)} and"
        f" {format_duration_fixed(change.upper_ns)} at 95 %"
        f" ({change.pairs} pairs); margin {format_duration_fixed(judgement.margin_ns)}"
    )
