"""A comparison of two groups of runs as text, for a terminal and for other reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.comparison import RUNS_MIN, ComparisonVerdict
from harness.assessment.compared_figures import FigureKind
from harness.assessment.comparison_result import (
    ComparedSide,
    ComparisonResult,
    FigureChange,
    Reason,
    RunEntry,
)
from harness.clock import NS_PER_S
from harness.formatting import format_count, format_duration_fixed, format_percent
from harness.report.sparkline import SparklineRun, blocks, largest_figure_ns

SIDE_HEADS = ("", "runs", "count", "verdicts", "commit", "median", "from")
CHANGE_HEADS = ("figure", "BASE", "NEW", "change", "95 % interval", "p (Holm)")
ROWS_MAX = 20
_NAMED_MAX = 2
_LEFT_OUT_SHOWN = 10
_STYLES = {
    ComparisonVerdict.SLOWER: "bold white on red",
    ComparisonVerdict.FASTER: "bold white on green",
    ComparisonVerdict.SAME: "bold white on green",
    ComparisonVerdict.CANNOT_TELL: "bold black on yellow",
    ComparisonVerdict.INVALID: "bold white on magenta",
}
# What a step of the engine contains, in the terms of the specification.
_STEPS = {
    "RECEIVED->INIT": "row INIT",
    "INIT->EVALUATED": "simulation",
    "EVALUATED->LOCKED": "nonce lock",
    "LOCKED->SIMULATED": "commit",
}


def render_comparison(result: ComparisonResult) -> RenderableType:
    """Verdict, reasons, both sides, and every figure that may explain the change."""
    return Group(
        Text(),
        Text.assemble(
            (f" {verdict_text(result)} ", _STYLES[result.verdict]),
            ("  " + headline(result), "bold"),
        ),
        *(Text(f"  {note}") for note in notes(result)),
        Text(),
        Padding(_table(SIDE_HEADS, side_rows(result)), (0, 0, 0, 2)),
        *_changes(result),
    )


def verdict_text(result: ComparisonResult) -> str:
    """`SLOWER`, `CANNOT TELL`."""
    return result.verdict.value.replace("_", " ")


def headline(result: ComparisonResult) -> str:
    """What changed, by how much, and how exactly that is known."""
    counted = f"{result.base.counted} + {result.new.counted} runs"
    if result.ratio is None:
        sides = [name for name, side in _sides(result) if not side.counted]
        return f"{' and '.join(sides)} {_have(sides)} no run that counts"
    change = _estimate(result.ratio.estimate_least, result.ratio.estimate_most)
    mode = f" ({result.mode})" if result.mode else ""
    return (
        f"{_percentile(result.percentile)}{mode} changed by {change},"
        f" {format_interval(result.ratio.lower, result.ratio.upper)}"
        f" ({counted}; margin {format_percent(result.margin)})"
    )


def notes(result: ComparisonResult) -> Iterator[str]:
    """What explains the change, what is missing for a verdict, what was left out or allowed."""
    if named := explained_by(result):
        yield f"what changed significantly: {'; '.join(named)}"
    if result.reason is Reason.TOO_FEW_RUNS:
        yield f"each side needs {RUNS_MIN} runs that count{_more(result)}"
    elif result.reason is Reason.INTERVAL_TOO_WIDE:
        more = _more(result) or ": no number of further runs follows from these"
        yield f"the interval is too wide for a verdict{more}"
    for name, side in _sides(result):
        left_out = [run for run in side.runs if run.left_out is not None]
        for run in left_out[:_LEFT_OUT_SHOWN]:
            detail = f": {run.detail}" if run.detail else ""
            yield f"{name} without {run.run_id}: {run.left_out}{detail}"
        if len(left_out) > _LEFT_OUT_SHOWN:
            yield f"{name} without {len(left_out) - _LEFT_OUT_SHOWN} others"
        if bounds := sum(run.is_lower_bound for run in side.runs):
            yield f"{name}: the figure of {format_count(bounds, 'run')} is a lower bound"
    for one in result.allowed:
        values = f"{' and '.join(one.base)} in BASE, {' and '.join(one.new)} in NEW"
        yield f"allowed difference of {one.aspect}: {one.key} is {values}"


def explained_by(result: ComparisonResult) -> list[str]:
    """The largest significant changes of each kind: `engine EVALUATED->LOCKED (nonce lock) +40 %`.

    Percentiles are not among them: they are what stages and resources explain.
    """
    named = []
    for kind in FigureKind:
        if kind is not FigureKind.PERCENTILE:
            own = [one for one in result.changes if one.is_significant and one.kind is kind]
            named += [f"{figure_name(one)} {format_change(one.ratio)}" for one in own[:_NAMED_MAX]]
    return named


def side_rows(result: ComparisonResult) -> list[tuple[str, ...]]:
    """A row for each side."""
    return [
        (
            name,
            format_count(len(side.runs)),
            format_count(side.counted),
            _verdicts(side),
            ", ".join(dict.fromkeys(run.commit for run in side.runs if run.commit)) or "-",
            _median(side),
            side.source,
        )
        for name, side in _sides(result)
    ]


def change_rows(result: ComparisonResult) -> list[tuple[str, ...]]:
    """A row for each explaining figure, the significant ones first."""
    return [
        (
            figure_name(one),
            _value(one, one.base),
            _value(one, one.new),
            format_change(one.ratio) + ("" if one.is_significant else " (not significant)"),
            f"{format_change(one.lower)} to {format_change(one.upper)}",
            "< 0.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}",
        )
        for one in result.changes[:ROWS_MAX]
    ]


def figure_name(change: FigureChange) -> str:
    """`P50 (lite)`, `CPU per signal of engine`, `engine EVALUATED->LOCKED (nonce lock)`."""
    if change.kind is FigureKind.PERCENTILE:
        return f"{_percentile(change.name)} ({change.mode})"
    if change.kind is FigureKind.CPU_PER_SIGNAL:
        return f"CPU per signal of {change.name}"
    if change.kind is FigureKind.LOAD_STAGE:
        return f"P99 of load stage {change.name}"
    if change.kind is FigureKind.ENGINE_TRANSITION:
        step = _STEPS.get(change.name.rpartition(" ")[2])
        return f"{change.name} ({step})" if step else change.name
    return f"latency stage {change.name}"


def format_change(ratio: float) -> str:
    """A ratio as a change: `+42 %`, `-3.1 %`, `+1,150 %`."""
    share = 100 * (ratio - 1)
    return f"{share:+,.0f} %" if abs(share) >= 10 else f"{share:+.2g} %"


def format_interval(lower: float | None, upper: float | None) -> str:
    """`between +21 % and +66 %`, `at least +21 %`."""
    if lower is not None and upper is not None:
        return f"between {format_change(lower)} and {format_change(upper)}"
    if lower is not None:
        return f"at least {format_change(lower)}"
    return "without bounds" if upper is None else f"at most {format_change(upper)}"


def _estimate(least: float | None, most: float | None) -> str:
    if least is None:
        return "an unknown ratio" if most is None else f"{format_change(most)} or less"
    return format_change(least) + ("" if least == most else " or more")


def _more(result: ComparisonResult) -> str:
    if result.runs_more is None:
        return ""
    return f": about {result.runs_more.base} more of BASE and {result.runs_more.new} of NEW"


def _sides(result: ComparisonResult) -> tuple[tuple[str, ComparedSide], ...]:
    return (("BASE", result.base), ("NEW", result.new))


def side_blocks(result: ComparisonResult) -> list[str]:
    """A line of blocks for each side, on one scale: `BASE` and `NEW`, a block for each run."""
    sides = [(name, [_drawn(run) for run in side.runs]) for name, side in _sides(result)]
    largest_ns = largest_figure_ns(run for _, runs in sides for run in runs)
    return [f"{name:4} {blocks(runs, largest_ns)}" for name, runs in sides]


def _drawn(run: RunEntry) -> SparklineRun:
    value_ns = None if run.value_ns is None else round(run.value_ns)
    verdict = run.verdict.name if run.verdict else "unreadable"
    return SparklineRun(run.run_id, verdict, value_ns, run.is_lower_bound)


def _have(sides: list[str]) -> str:
    return "has" if len(sides) == 1 else "have"


def _percentile(name: str) -> str:
    """`p99 of service` as a title."""
    return f"P{name.removeprefix('p')}"


def _verdicts(side: ComparedSide) -> str:
    counts = Counter(run.verdict.name for run in side.runs if run.verdict is not None)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "-"


def _median(side: ComparedSide) -> str:
    least = ">= " if side.median_is_lower_bound else ""
    return least + format_duration_fixed(side.median_ns)


def _value(change: FigureChange, value: float) -> str:
    return format_duration_fixed(value * NS_PER_S if change.unit == "s" else value)


def _changes(result: ComparisonResult) -> Iterator[RenderableType]:
    if not result.changes:
        return
    yield Text()
    yield Text("explaining figures (none decides the verdict)", style="bold cyan")
    yield Padding(_table(CHANGE_HEADS, change_rows(result)), (0, 0, 0, 2))
    if len(result.changes) > ROWS_MAX:
        yield Text(f"  and {len(result.changes) - ROWS_MAX} more in --json", style="dim")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
