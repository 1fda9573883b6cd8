"""The latency breakdown: the stages of a signal, by their share and by their spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.measurement import BreakdownStageFigures, Durations, LatencyBreakdownFigures
from harness.formatting import format_share_fixed
from harness.report.data import ReportData
from harness.report.html.axes import log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.run_timeline import RunTimeline

KEY = "stages"
TITLE = "Which stage has the largest share of the latency?"
_ROW_PX = 46


def breakdown_section(data: ReportData, _: RunTimeline) -> Section:
    """The stages of a signal."""
    return Section(
        "where",
        "Latency breakdown",
        "The stages of a signal, which add up to its latency.",
        tuple(stage_parts(data.measurement)),
        notes=tuple(stage_notes(data.measurement)),
    )


def stage_parts(measurement: Durations) -> list[Chart | MissingChart]:
    """For each mode the shares of the mean, and the spread of each stage.

    The charts of all modes have the same axis, so that bars of equal length are equal times.
    """
    splits = [split for split in measurement.splits if split.phase == "measure" and split.count]
    if not splits:
        return [MissingChart(KEY, TITLE, "no measured signal has times for its stages")]
    parts: list[Chart | MissingChart] = []
    for split in splits:
        parts += [_shares(split, splits), _spread(split, splits)]
    return parts


def _names(split: LatencyBreakdownFigures) -> list[str]:
    return [f"{stage.start} → {stage.end}" for stage in split.stages]


def _wrapped(split: LatencyBreakdownFigures) -> list[str]:
    """Names on two lines, which leave room for the bars on a small screen."""
    return [f"{stage.start}<br>→ {stage.end}" for stage in split.stages]


def _share(stage: BreakdownStageFigures, split: LatencyBreakdownFigures) -> float:
    return stage.sum_ns / split.total_sum_ns if split.total_sum_ns else 0.0


def _shares(split: LatencyBreakdownFigures, splits: Sequence[LatencyBreakdownFigures]) -> Chart:
    shares = [_share(stage, split) for stage in split.stages]
    most = max(range(len(shares)), key=shares.__getitem__)
    stage = split.stages[most]
    means = [one.sum_ns / split.count for one in split.stages]
    drawn = [one.sum_ns / own.count for own in splits for one in own.stages]
    return Chart(
        key=f"{KEY}-share-{split.mode}",
        title=TITLE + (f" ({split.mode})" if len(splits) > 1 else ""),
        shows="Mean time of each stage of a signal, from its due time at the top to the observation"
        " of SIMULATED at the bottom; the bars add up to the mean latency.",
        good="Good: the engine's own stage (INIT → SIMULATED) is the longest, and no earlier stage"
        " exceeds it.",
        message=f"Of a mean latency of {format_duration_html(split.total_mean_ns)},"
        f" {format_share_fixed(shares[most])} is from {stage.start} to {stage.end}.",
        traces=(
            {
                "type": "bar",
                "orientation": "h",
                "y": _wrapped(split),
                "x": [to_ms(mean) for mean in means],
                "text": [
                    f"{format_duration_html(mean)} · {format_share_fixed(share)}"
                    for mean, share in zip(means, shares, strict=True)
                ],
                "textposition": "auto",
                "insidetextanchor": "end",
                "insidetextfont": {"color": "@card"},
                "outsidetextfont": {"color": "@ink"},
                "marker": {
                    "color": ["@series1" if n == most else "@series5" for n in range(len(shares))]
                },
                "hovertemplate": "%{y}: %{text}<extra></extra>",
                "cliponaxis": False,
                "showlegend": False,
            },
        ),
        layout={
            "xaxis": {
                "title": {"text": "mean time (ms, linear)"},
                "rangemode": "tozero",
                "range": [
                    min(0.0, 1.05 * (to_ms(min(drawn)) or 0)),
                    1.3 * (to_ms(max(drawn)) or 1),
                ],
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "showgrid": False},
            "bargap": 0.35,
        },
        tables=(_share_table(split),),
        height_px=110 + _ROW_PX * len(shares),
    )


def _spread(split: LatencyBreakdownFigures, splits: Sequence[LatencyBreakdownFigures]) -> Chart:
    stages = _spreading(split)
    drawn = [stage for own in splits for stage in _spreading(own)]
    names = [f"{stage.start}<br>→ {stage.end}" for stage in stages]
    slow = max(stages, key=lambda stage: stage.p99_ns or stage.max_ns, default=None)
    message = "Too few signals for percentiles of the stages."
    if slow is not None:
        message = (
            f"The slowest stage is from {slow.start} to {slow.end}: P99"
            f" {format_duration_html(slow.p99_ns)}, max {format_duration_html(slow.max_ns)}."
        )
    lows = [stage.p50_ns or 1 for stage in drawn] or [1_000_000]
    highs = [stage.max_ns for stage in drawn] or [1_000_000]
    return Chart(
        key=f"{KEY}-spread-{split.mode}",
        title="Which stage makes slow signals slow?"
        + (f" ({split.mode})" if len(splits) > 1 else ""),
        shows="P50, P99 and maximum of the time of each stage.",
        good="Good: the three marks of a stage are close together. A stage whose P99 is far to the"
        " right of its P50 delays a few signals for long: analyse it first.",
        message=message,
        traces=(
            _range(stages, names),
            *(
                _marks(name, symbol, colour, names, values)
                for name, symbol, colour, values in (
                    ("P50", "circle", "@series1", [stage.p50_ns for stage in stages]),
                    ("P99", "diamond", "@series2", [stage.p99_ns for stage in stages]),
                    ("max", "line-ns-open", "@series5", [stage.max_ns for stage in stages]),
                )
            ),
        ),
        layout={
            "xaxis": log_durations(min(lows), max(highs), "time in the stage (logarithmic)"),
            "yaxis": {"autorange": "reversed", "automargin": True},
            "hovermode": "closest",
        },
        tables=(_spread_table(split),),
        height_px=130 + _ROW_PX * max(1, len(stages)),
    )


def _spreading(split: LatencyBreakdownFigures) -> list[BreakdownStageFigures]:
    return [stage for stage in split.stages if stage.p50_ns is not None and stage.p50_ns > 0]


def _range(stages: Sequence[BreakdownStageFigures], names: Sequence[str]) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[str | None] = []
    for stage, name in zip(stages, names, strict=True):
        x += [to_ms(stage.p50_ns), to_ms(stage.max_ns), None]
        y += [name, name, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": "@series5", "width": 1.5},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _marks(
    name: str, symbol: str, colour: str, names: Sequence[str], values: Sequence[int | None]
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [to_ms(value) for value in values],
        "y": list(names),
        "customdata": [format_duration_html(value) for value in values],
        "hovertemplate": f"{name} %{{customdata}}<extra></extra>",
        "marker": {
            "color": colour,
            "size": 12,
            "symbol": symbol,
            "line": {"width": 2.5 if symbol.endswith("open") else 0, "color": colour},
        },
    }


def _share_table(split: LatencyBreakdownFigures) -> Table:
    rows = [
        (
            name,
            format_duration_html(stage.sum_ns / split.count),
            format_share_fixed(_share(stage, split)),
        )
        for name, stage in zip(_names(split), split.stages, strict=True)
    ]
    rows.append(("all stages", format_duration_html(split.total_mean_ns), "100 %"))
    caption = f"Mean time of {split.count:,} {split.mode} signals by stage"
    return Table.of(caption, ("stage", "mean", "share"), rows)


def _spread_table(split: LatencyBreakdownFigures) -> Table:
    rows = [
        (
            name,
            format_duration_html(stage.p50_ns),
            format_duration_html(stage.p99_ns),
            format_duration_html(stage.max_ns),
        )
        for name, stage in zip(_names(split), split.stages, strict=True)
    ]
    caption = f"Percentiles of {split.count:,} {split.mode} signals by stage"
    return Table.of(caption, ("stage", "P50", "P99", "max"), rows)


def stage_notes(measurement: Durations) -> list[str]:
    """Remarks on the charts."""
    notes = [n for split in measurement.splits if split.phase == "measure" for n in split.notes]
    return list(dict.fromkeys(notes))
