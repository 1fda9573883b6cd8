"""The figure of one series of runs: points with intervals, medians, changes and the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from harness.report.html.axes import limit_label, limit_line, log_durations
from harness.report.html.components import Chart, Table
from harness.report.html.formatting import escape_plotly, to_ms
from harness.report.trend import (
    COMMIT_DIGITS,
    TrendChange,
    TrendPoint,
    TrendSeries,
    format_value,
    series_text,
)

# The newest ones are drawn.
POINTS_MAX = 500
# Beyond this multiple of the highest point a limit only hides how the level changes.
_LIMIT_NEAR = 30
# Of the height of a logarithmic figure: below the points, for the labels of changes.
_LABEL_ROOM = 0.15


def trend_chart(series: TrendSeries, key: str, title: str) -> Chart:
    """The figure of a series, with a table of its runs.

    Args:
        series: of runs.
        key: anchor in the page.
        title: of the section, which makes the title of the table unique.
    """
    points = series.points[-POINTS_MAX:]
    metric, first = series.metric, len(series.points) - len(points)
    changes = [change for change in series.changes if change.point.index > first]
    better = "below" if metric.good == "low" else "above"
    return Chart(
        key=key,
        title=metric.objective,
        shows="Each run with its interval; a triangle is a run of which only the lower bound is"
        " known. A horizontal line is the median between two changes, a vertical one a change.",
        good=f"Good: {better} the limit, and no step {'up' if better == 'below' else 'down'}.",
        message=series_text(series),
        traces=(
            _points_trace(series, [p for p in points if not p.is_censored], is_censored=False),
            _points_trace(series, [p for p in points if p.is_censored], is_censored=True),
            _medians_trace(series, points, [change.point.index - first for change in changes]),
        ),
        layout=_layout(series, points, changes),
        tables=(_table(series, title, points),),
        height_px=360,
    )


def _drawn(series: TrendSeries, value: float | None) -> float | None:
    """A figure in the unit of the axis: ms, %, MB/h or a level."""
    if value is None or not math.isfinite(value):
        return None
    if series.metric.unit == "ns":
        return to_ms(value)
    return float(f"{value * {'share': 100, 'bytes_per_h': 1e-6}.get(series.metric.unit, 1):.4g}")


def _points_trace(
    series: TrendSeries, points: Sequence[TrendPoint], *, is_censored: bool
) -> dict[str, Any]:
    levels = [_drawn(series, point.level.at_least) or 0.0 for point in points]
    uppers = [_drawn(series, point.metric.upper) for point in points]
    lowers = [_drawn(series, point.metric.lower) for point in points]
    marker = {"symbol": "triangle-up-open", "size": 9, "color": "@series2"}
    if not is_censored:
        marker = {"symbol": "circle", "size": 6, "color": "@series1"}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "lower bound only" if is_censored else "run",
        "x": [point.line.time for point in points],
        "y": levels,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": _distances(levels, uppers),
            "arrayminus": [-one for one in _distances(levels, lowers)],
            "thickness": 1,
            "width": 2,
            "color": "@series5",
        },
        "marker": marker,
        "text": [escape_plotly(_hover(series, point)) for point in points],
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}<br>%{text}<extra></extra>",
    }


def _distances(levels: Sequence[float], bounds: Sequence[float | None]) -> list[float]:
    return [
        0.0 if bound is None else bound - level for level, bound in zip(levels, bounds, strict=True)
    ]


def _hover(series: TrendSeries, point: TrendPoint) -> str:
    value = format_value(series.metric, point.level.at_least)
    least = "at least " if point.is_censored else ""
    commit = f", commit {point.line.commit[:COMMIT_DIGITS]}" if point.line.commit else ""
    return f"{least}{value}, {point.line.verdict}, {point.line.run_id}{commit}"


def _medians_trace(
    series: TrendSeries, points: Sequence[TrendPoint], cuts: Sequence[int]
) -> dict[str, Any]:
    at: list[str | None] = []
    values: list[float | None] = []
    for start, end in pairwise([0, *cuts, len(points)]):
        level = _drawn(series, median(point.level.at_least for point in points[start:end]))
        at += [points[start].line.time, points[end - 1].line.time, None]
        values += [level, level, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "median",
        "x": at,
        "y": values,
        "line": {"color": "@series3", "width": 2},
        "hoverinfo": "skip",
    }


def _layout(
    series: TrendSeries, points: Sequence[TrendPoint], changes: Sequence[TrendChange]
) -> dict[str, Any]:
    limit = _near_limit(series, points)
    shapes = [_change_line(change) for change in changes]
    notes = [_change_label(change, number) for number, change in enumerate(changes)]
    drawn = _drawn(series, limit)
    if drawn is not None and limit is not None:
        is_log = series.metric.unit == "ns"
        text = f"limit {format_value(series.metric, limit)}"
        shapes.append(limit_line(drawn))
        notes.append(limit_label(math.log10(drawn) if is_log else drawn, text))
    return {
        "xaxis": {"type": "date", "title": {"text": "start of the run (UTC)"}},
        "yaxis": _value_axis(series, points, limit),
        "shapes": shapes,
        "annotations": notes,
    }


def _near_limit(series: TrendSeries, points: Sequence[TrendPoint]) -> float | None:
    limit, most = series.metric.limit, max(point.level.at_least for point in points)
    return None if limit is None or limit <= 0 or limit > _LIMIT_NEAR * most else limit


def _value_axis(
    series: TrendSeries, points: Sequence[TrendPoint], limit: float | None
) -> dict[str, Any]:
    if series.metric.unit != "ns":
        units = {"share": "%", "bytes_per_h": "MB/h", "level": "level"}
        title = {"text": units[series.metric.unit]}
        return {"type": "linear", "title": title, "rangemode": "tozero"}
    values = [
        value
        for point in points
        for value in (point.level.at_least, point.metric.lower, point.metric.upper, limit)
        if value
    ]
    low, high = min(values, default=1), max(values, default=1)
    return log_durations(low * (low / high) ** _LABEL_ROOM, high, "duration (logarithmic)")


def _change_line(change: TrendChange) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": change.after.time,
        "x1": change.after.time,
        "y0": 0,
        "y1": 1,
        "line": {"color": _colour(change), "width": 1.5, "dash": "dot"},
    }


def _change_label(change: TrendChange, number: int) -> dict[str, Any]:
    """Below the points; labels side by side are on two lines, as a phone has no room for both."""
    point = change.point
    size = f" {100 * (point.ratio - 1):+.0f} %" if point.before and point.ratio > 0 else ""
    return {
        "x": change.after.time,
        "xref": "x",
        "xanchor": "center",
        "y": 0,
        "yref": "paper",
        "yanchor": "bottom",
        "yshift": 16 * (number % 2),
        "text": f"{change.direction}{size}",
        "showarrow": False,
        "font": {"color": _colour(change)},
        "bgcolor": "@card",
    }


def _colour(change: TrendChange) -> str:
    return "@fail" if change.direction.is_bad else "@pass"


def _table(series: TrendSeries, title: str, points: Sequence[TrendPoint]) -> Table:
    changes = {change.after.run_id: change for change in series.changes}
    rows = []
    for point in reversed(points):
        line, metric = point.line, point.metric
        change = changes.get(line.run_id)
        rows.append(
            (
                line.run_id,
                *(format_value(metric, v) for v in (metric.estimate, metric.lower, metric.upper)),
                line.commit[:COMMIT_DIGITS] or "-",
                change.direction.value if change else "",
            )
        )
    heads = ("run", "estimate", "from", "to", "commit", "change")
    return Table.of(f"{series.metric.objective}, {title}", heads, rows)
