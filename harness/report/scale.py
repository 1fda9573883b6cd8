"""An experiment over levels as text: the figures of each level, the model, the trend; CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.scaling.figures import (
    EXTRAPOLATION_MAX,
    LACK_OF_FIT_P,
    Estimate,
    ScalingFigures,
)
from harness.assessment.scale_result import CellFigures, CellStatus, ScaleResult
from harness.formatting import (
    format_count,
    format_duration_fixed,
    format_number,
    format_percent,
    format_rate,
)
from harness.printable import printable
from harness.report.terminal import VERDICT_STYLES

LEVEL_HEADS = ("level", "runs", "mean", "interval", "least", "most")
PARAMETER_HEADS = ("parameter", "estimate", "interval")
MODEL_HEADS = ("model", "AICc", "chosen in", "formula")
CSV_HEADS = (
    *("level", "repeat", "attempt", "run_id", "seed", "status", "verdict"),
    *("figure", "lower", "upper", "unit"),
)
CELLS_CSV = "cells.csv"
_NOT_MEASURED_SHOWN = 5
Format = Callable[[float], str]


def format_value(result: ScaleResult, value: float | None) -> str:
    """A figure of the experiment: `412 ms`, `540/s`; a dash for None."""
    if result.value_unit == "ns":
        return format_duration_fixed(value)
    return "-" if value is None else format_rate(value)


def format_interval(result: ScaleResult, lower: float | None, upper: float | None) -> str:
    """`390/s to 440/s`; a dash without an interval."""
    if lower is None and upper is None:
        return "-"
    return f"{format_value(result, lower)} to {format_value(result, upper)}"


def format_levels(result: ScaleResult, value: float) -> str:
    """A number of the varied setting with its unit: `6.2 workers`."""
    return f"{format_number(value)} {result.unit}".strip()


def headline(result: ScaleResult) -> str:
    """The answer in one sentence."""
    name = result.measure.value
    if not result.measured:
        return f"{name} against {result.vary}: no run has a figure"
    if result.scaling is not None:
        return f"{name} against {result.vary}: {peak_text(result, result.scaling)}"
    if result.trend is not None and result.trend.direction != "none":
        verb = result.trend.direction
        return f"{name} {verb} with {result.vary} (p = {result.trend.p_value:.2g})"
    if result.trend is not None:
        return f"{name} has no trend over {result.vary} (p = {result.trend.p_value:.2g})"
    levels = len(result.levels) + len(result.word_levels)
    return f"{name} at {format_count(levels, 'level')} of {result.vary}"


def peak_text(result: ScaleResult, scaling: ScalingFigures) -> str:
    """Where the chosen model has its peak, or that it has none in the range."""
    peak = scaling.peak_level
    if peak.value is not None:
        at = format_levels(result, peak.value)
        return f"peak at {at}{_bounds_text(peak)}, model {scaling.chosen}"
    furthest = format_levels(result, EXTRAPOLATION_MAX * result.levels[-1].level)
    return f"no peak up to {furthest}, model {scaling.chosen}"


def _bounds_text(found: Estimate) -> str:
    if found.lower is None:
        return ""
    upper = "no upper bound" if found.upper is None else format_number(found.upper)
    return f" ({format_number(found.lower)} to {upper})"


def status_text(result: ScaleResult) -> str:
    """How many runs were measured, and what the conclusion lacks."""
    text = f"{result.measured} of {result.planned} runs measured, {len(result.cells)} made"
    return f"{text}; indicative: few levels or repeats" if result.is_indicative else text


def level_rows(result: ScaleResult) -> list[tuple[str, ...]]:
    """The rows of `LEVEL_HEADS`."""
    rows: list[tuple[str, ...]] = [
        (
            format_levels(result, one.level),
            str(one.runs),
            format_value(result, one.mean),
            format_interval(result, one.lower, one.upper),
            format_value(result, one.least),
            format_value(result, one.most),
        )
        for one in result.levels
    ]
    return rows + [
        (
            str(one.level),
            str(one.runs),
            "-",
            "-",
            format_value(result, one.least),
            format_value(result, one.most),
        )
        for one in result.word_levels
    ]


def parameter_rows(result: ScaleResult, scaling: ScalingFigures) -> list[tuple[str, ...]]:
    """The rows of `PARAMETER_HEADS`."""
    rates = (("gain g", scaling.gain), ("roof g/a, if b were 0", scaling.roof))
    numbers = (("contention a", scaling.contention), ("coherency b", scaling.coherency))
    return [
        *((name, _number(one.value, format_rate), _range(one, format_rate)) for name, one in rates),
        *((name, _number(one.value), _range(one)) for name, one in numbers),
        (
            f"peak ({result.unit})",
            "none within range" if scaling.peak_level.value is None
            else format_number(scaling.peak_level.value),
            _range(scaling.peak_level),
        ),
    ]  # fmt: skip


def model_rows(scaling: ScalingFigures) -> list[tuple[str, ...]]:
    """The rows of `MODEL_HEADS`, the chosen one first."""
    return [
        (
            one.model.value,
            f"{one.aicc:.1f}",
            format_percent(one.chosen_share),
            f"{one.gain:.4g} N / (1 + {one.contention:.3g} (N-1) + {one.coherency:.3g} N (N-1))",
        )
        for one in scaling.models
    ]


def _number(value: float | None, form: Format = format_number) -> str:
    return "none" if value is None else form(value)


def _range(found: Estimate, form: Format = format_number) -> str:
    if found.lower is None:
        return "no bounds"
    upper = "no upper bound" if found.upper is None else _number(found.upper, form)
    return f"{_number(found.lower, form)} to {upper}"


def notes(result: ScaleResult) -> list[str]:
    """What a reader has to know of the figures."""
    found = []
    scaling = result.scaling
    if scaling is not None:
        found.append(
            f"Intervals are of {100 * scaling.confidence:g} %; those of the parameters are of the"
            " Universal Scalability Law, whichever model is chosen."
        )
        if scaling.lack_of_fit_p is not None and scaling.lack_of_fit_p < LACK_OF_FIT_P:
            found.append(
                f"No model fits: the means of the levels differ from the {scaling.chosen} model by"
                f" more than runs of one level do (p = {scaling.lack_of_fit_p:.2g})."
            )
    if result.trend is not None:
        found.append(
            f"Trend over {format_count(result.trend.runs, 'run')}: Kendall's tau"
            f" {result.trend.tau:+.2f}, p = {result.trend.p_value:.2g}."
        )
    return found


def not_measured(result: ScaleResult) -> list[CellFigures]:
    """The runs whose figure does not count, in order."""
    return [cell for cell in result.cells if cell.status is not CellStatus.MEASURED]


def cells_csv(result: ScaleResult) -> str:
    """Every attempt as a row; levels, figures and bounds in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADS)
    for cell in result.cells:
        figures = ("" if one is None else repr(one) for one in (cell.value, cell.lower, cell.upper))
        row = (cell.repeat, cell.attempt, cell.run_id, cell.seed, cell.status, cell.verdict.name)
        writer.writerow((_csv_text(cell.level), *row, *figures, result.value_unit))
    return text.getvalue()


def _csv_text(level: object) -> object:
    """A level as a cell; of a text its control characters are replaced."""
    return printable(level) if isinstance(level, str) else level


def render_scale(result: ScaleResult, path: Path) -> RenderableType:
    """Verdict, levels, model, runs that do not count, and the folder."""
    return Group(
        Text(),
        Text.assemble(
            (f" {result.verdict.name} ", VERDICT_STYLES[result.verdict]),
            ("  " + headline(result), "bold"),
        ),
        Text(f"  {status_text(result)}"),
        *_levels(result),
        *_model(result),
        *_not_measured(result),
        Text(),
        *(Padding(Text(note), (0, 0, 0, 2)) for note in notes(result)),
        Text(f"grade: {result.grade.level}", style="dim"),
        Text(f"runs, result and report.html in {path}", style="dim"),
        Text(_next(result, path), style="dim"),
    )


def _levels(result: ScaleResult) -> Iterator[RenderableType]:
    if rows := level_rows(result):
        yield Text()
        yield Text(f"{result.measure.value} by {result.vary}", style="bold cyan")
        yield Padding(_table(LEVEL_HEADS, rows), (0, 0, 0, 2))


def _model(result: ScaleResult) -> Iterator[RenderableType]:
    if result.scaling is None:
        return
    yield Text()
    yield Text(f"model: {result.scaling.chosen}", style="bold cyan")
    # The formula would need more than 80 columns; Markdown and the page have it.
    yield Padding(
        _table(MODEL_HEADS[:-1], [row[:-1] for row in model_rows(result.scaling)]), (0, 0, 0, 2)
    )
    yield Text()
    yield Padding(_table(PARAMETER_HEADS, parameter_rows(result, result.scaling)), (0, 0, 0, 2))


def _not_measured(result: ScaleResult) -> Iterator[RenderableType]:
    own = not_measured(result)
    if not own:
        return
    yield Text()
    yield Text("runs whose figure does not count", style="bold cyan")
    for cell in own[:_NOT_MEASURED_SHOWN]:
        reason = cell.reasons[0] if cell.reasons else cell.verdict.name
        yield Text(f"  {cell.level}, {cell.run_id}: {cell.status}: {reason}")
    if (more := len(own) - _NOT_MEASURED_SHOWN) > 0:
        yield Text(f"  and {more} more, in result.json")


def _next(result: ScaleResult, path: Path) -> str:
    tried = {cell.position for cell in result.cells}
    command = "scale" if len(tried) < result.planned else "judge"
    verb = "go on with" if command == "scale" else "judge again with"
    return f"{verb}: harness {command} {path}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
