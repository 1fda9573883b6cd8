"""The page of an experiment over levels: runs, model and band; models; every run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.scaling.figures import ScalingFigures
from harness.assessment.scale_result import CellFigures, CellStatus, ScaleResult
from harness.formatting import format_count, format_number
from harness.report import scale
from harness.report.html.axes import log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import escape_plotly, to_ms
from harness.report.html.page import render_page
from harness.report.html.summary import Fact, Summary, sign_of

_TITLE = "What does more of it bring?"


def scale_page(result: ScaleResult) -> str:
    """One file that shows the experiment and needs no network."""
    sections = [_figures(result), _model(result), _runs(result)]
    return render_page(
        _summary(result),
        [section for section in sections if section.parts],
        subject="scaling experiment",
    )


def _summary(result: ScaleResult) -> Summary:
    facts = [Fact("runs measured", f"{result.measured} of {result.planned}")]
    facts.append(Fact("runs made", format_count(len(result.cells))))
    if result.scaling is not None:
        facts.append(Fact("model", result.scaling.chosen.value))
        facts += [
            Fact(name, f"{value} ({bounds})")
            for name, value, bounds in scale.parameter_rows(result, result.scaling)
        ]
    if result.trend is not None:
        facts.append(Fact("trend", f"{result.trend.direction}, p = {result.trend.p_value:.2g}"))
    return Summary(
        run_id=result.experiment_id,
        scenario=result.name,
        about=result.about,
        executed=f"{result.measure} by {result.vary}, {result.stack} stack",
        verdict=result.verdict.value,
        sign=sign_of(result.verdict),
        headline=scale.headline(result),
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=tuple(facts),
        grade=result.grade.level,
        grade_text="Indicative only. An experiment does not qualify for a sign-off:",
        grade_reasons=result.grade.reasons,
    )


def _figures(result: ScaleResult) -> Section:
    table = Table.of("Figures of each level", scale.LEVEL_HEADS, scale.level_rows(result))
    notes = tuple(scale.notes(result))
    lead = f"The {result.measure} of each run at each level of {result.vary}."
    return Section("figures", "Figures by level", lead, (_chart(result, table),), notes)


def _chart(result: ScaleResult, table: Table) -> Chart | MissingChart:
    measured = [
        cell
        for cell in result.cells
        if cell.status is CellStatus.MEASURED
        and cell.level_number is not None
        and cell.value is not None
    ]
    if not measured:
        return MissingChart("figures-chart", _TITLE, "no run at a numeric level has a figure")
    traces = [*_fit_traces(result.scaling), _runs_trace(result, measured), _means_trace(result)]
    return Chart(
        key="figures-chart",
        title=_TITLE,
        shows="Each run as a point, the mean of each level with its interval"
        + (
            ", the chosen model with the interval of its mean as a band up to twice the largest"
            " level."
            if result.scaling
            else "."
        ),
        good="Good: the band is narrow, and the points of a level are close together.",
        message=scale.headline(result),
        traces=tuple(traces),
        layout={
            "xaxis": {
                "title": {"text": f"{result.vary} ({result.unit})" if result.unit else result.vary},
                "type": "linear",
                "rangemode": "tozero",
            },
            "yaxis": _value_axis(result, measured),
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(table,),
        height_px=420,
    )


def _value_axis(result: ScaleResult, measured: Sequence[CellFigures]) -> dict[str, Any]:
    if result.value_unit != "ns":
        return {"title": {"text": f"{result.measure} (signals/s)"}, "rangemode": "tozero"}
    values = [cell.value for cell in measured if cell.value]
    values += [one.upper for one in result.levels if one.upper is not None]
    return log_durations(min(values), max(values), "latency (logarithmic)")


def _drawn(result: ScaleResult, value: float | None) -> float | None:
    """A figure in the unit of the axis."""
    return to_ms(value) if result.value_unit == "ns" else value


def _fit_traces(scaling: ScalingFigures | None) -> list[dict[str, Any]]:
    if scaling is None:
        return []
    at = [point.level for point in scaling.curve]
    band = {"type": "scatter", "mode": "lines", "x": at, "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        band | {"y": [one.lower for one in scaling.curve], "showlegend": False},
        band
        | {
            "y": [one.upper for one in scaling.curve],
            "fill": "tonexty",
            "fillcolor": "@shade",
            "name": f"interval of the mean, {100 * scaling.confidence:g} %",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"model: {scaling.chosen}",
            "x": at,
            "y": [one.estimate for one in scaling.curve],
            "line": {"color": "@series1", "width": 2},
            "hovertemplate": "%{x:.3g}: %{y:.4g}<extra></extra>",
        },
    ]


def _runs_trace(result: ScaleResult, measured: Sequence[CellFigures]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "run",
        "x": [cell.level_number for cell in measured],
        "y": [_drawn(result, cell.value) for cell in measured],
        "marker": {"size": 7, "color": "@series5", "symbol": "circle-open"},
        "text": [escape_plotly(cell.run_id) for cell in measured],
        "hovertemplate": "%{x}: %{y:.4g}, %{text}<extra></extra>",
    }


def _means_trace(result: ScaleResult) -> dict[str, Any]:
    means = [_drawn(result, one.mean) or 0.0 for one in result.levels]
    uppers = [_drawn(result, one.upper) for one in result.levels]
    lowers = [_drawn(result, one.lower) for one in result.levels]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "mean of a level",
        "x": [one.level for one in result.levels],
        "y": means,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [
                0.0 if upper is None else upper - mean
                for upper, mean in zip(uppers, means, strict=True)
            ],
            "arrayminus": [
                0.0 if lower is None else mean - lower
                for lower, mean in zip(lowers, means, strict=True)
            ],
            "thickness": 1.5,
        },
        "marker": {"size": 10, "color": "@series2", "symbol": "diamond"},
        "hovertemplate": "%{x}: %{y:.4g}<extra></extra>",
    }


def _model(result: ScaleResult) -> Section:
    lead = "Linear, Amdahl and the Universal Scalability Law, the smallest AICc first."
    if result.scaling is None:
        return Section("model", "Model", lead)
    models = Table.of("Models", scale.MODEL_HEADS, scale.model_rows(result.scaling), numbers=False)
    parameters = Table.of(
        "Parameters of the Universal Scalability Law",
        scale.PARAMETER_HEADS,
        scale.parameter_rows(result, result.scaling),
    )
    return Section("model", "Model", lead, (models, parameters))


def _runs(result: ScaleResult) -> Section:
    rows = [
        (
            str(number),
            str(cell.level) if cell.level_number is None else format_number(cell.level_number),
            f"{cell.repeat}, attempt {cell.attempt}",
            cell.status.value,
            cell.verdict.name,
            scale.format_value(result, cell.value),
            scale.format_interval(result, cell.lower, cell.upper),
            cell.reasons[0] if cell.reasons else "",
            cell.run_id,
        )
        for number, cell in enumerate(result.cells, 1)
    ]
    heads = (
        *("run", "level", "repeat", "status", "verdict", "figure", "interval within the run"),
        *("why not", "folder"),
    )
    table = Table.of("Runs in order", heads, rows, numbers=False)
    lead = "Every run, also those whose figure does not count."
    return Section("runs", "Runs in order", lead, (table,) if rows else ())
