"""Latency over time as a heat map: every signal is in it, at its time and its latency."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import bucket_middles_ns
from harness.analysis.histogram_encoding import HistogramInterval
from harness.analysis.statistics import size_needed
from harness.formatting import format_count
from harness.report.html.axes import limit_label, limit_line, log_durations, time_axis
from harness.report.html.components import ROWS_MAX, Chart, Table
from harness.report.html.formatting import escape_plotly, format_duration_html, to_ms
from harness.report.html.histogram_columns import Column, columns_of, group_columns, merge_columns
from harness.report.html.palette import HEAT
from harness.report.html.run_timeline import RunTimeline
from harness.scenario import Objective

ROWS_PER_DECADE = 24
# Where columns hold few signals, finer rows would be stripes.
ROWS_PER_DECADE_FEW = 14
FEW = 1_000
CELL_ROWS_MAX = 120
_ENOUGH = {50.0: size_needed(50), 99.0: size_needed(99)}


def heat_figure(
    mode: str,
    intervals: Iterable[HistogramInterval],
    objectives: Sequence[Objective],
    timeline: RunTimeline,
) -> Chart | None:
    """The heat map of a mode; None where no stretch has a signal."""
    columns = [column for column in columns_of(intervals) if column.count]
    if not columns:
        return None
    limits = [
        one
        for one in objectives
        if one.is_latency_percentile and one.limit_ns and one.mode in (None, mode)
    ]
    tops = [one.limit_ns * 1.3 for one in limits if one.limit_ns]
    low_ns = max(1_000, min(column.min_ns for column in columns))
    high_ns = max([column.max_ns for column in columns] + tops)
    groups = group_columns(columns, _ENOUGH[99.0])
    heat = _heat(columns, low_ns)
    traces = [
        heat,
        _line("P50", group_columns(columns, _ENOUGH[50.0]), 50.0),
        _line("P99", groups, 99.0),
    ]
    return Chart(
        key=f"heat-{mode}",
        title="When were signals slow?" + ("" if mode == "lite" else f" (simulated in {mode})"),
        shows="Each cell counts the signals that were due in that stretch of time (across) and took"
        " that long (upwards): the darker or brighter against the page, the more. Lines are P50"
        f" and P99, each over as many seconds as give {_ENOUGH[99.0]} signals or more for P99.",
        good="Good: one calm band far below the red line, with a few single cells above it. A tower"
        " is a pause; a band that climbs is a queue that grows; two bands are two kinds of work.",
        message=_message(columns, groups, limits),
        traces=tuple(trace for trace in traces if trace is not None),
        layout={
            "xaxis": time_axis(timeline.end_s),
            "yaxis": log_durations(low_ns, high_ns, "latency (logarithmic)"),
            "shapes": [*timeline.shapes(), *_limits(limits)],
            "annotations": [*timeline.numbers(), *_limit_labels(limits)],
            "hovermode": "closest",
        },
        tables=(_table(columns),),
        height_px=440,
        on_time=True,
    )


def _limits(limits: Sequence[Objective]) -> list[dict[str, Any]]:
    return [limit_line(to_ms(one.limit_ns) or 0.0) for one in limits]


def _limit_labels(limits: Sequence[Objective]) -> list[dict[str, Any]]:
    """The promises by their limit; those that share one share a label."""
    texts: dict[int, list[str]] = {}
    for one in limits:
        texts.setdefault(one.limit_ns or 1, []).append(escape_plotly(one.text))
    return [limit_label(math.log10(limit / 1e6), ", ".join(t)) for limit, t in texts.items()]


def _heat(columns: Sequence[Column], low_ns: int) -> dict[str, Any]:
    few = sum(column.count for column in columns) < FEW * len(columns)
    edges = _edges(
        low_ns,
        max(column.max_ns for column in columns),
        ROWS_PER_DECADE_FEW if few else ROWS_PER_DECADE,
    )
    row_of = _row_of_bucket(edges)
    x = _column_edges(columns)
    place = {start: number for number, start in enumerate(x)}
    counts = np.zeros((len(edges) - 1, len(x) - 1), dtype=np.int64)
    for column in columns:
        np.add.at(counts[:, place[column.start_s]], row_of[column.buckets], column.counts)
    return {
        "type": "heatmap",
        "name": "signals",
        "x": x,
        "y": [float(f"{edge / 1e6:.5g}") for edge in edges],
        "counts": counts.tolist(),
        "colorscale": [list(stop) for stop in HEAT],
        "zsmooth": False,
        "hovertemplate": "%{customdata} signals<br>%{x} s, %{y:.3g} ms<extra></extra>",
        "colorbar": {"title": {"text": "signals per cell", "side": "top"}},
    }


def _edges(low_ns: float, high_ns: float, rows: int) -> list[float]:
    """Edges of rows, equally far apart on a logarithmic scale."""
    low, high = math.log10(low_ns), math.log10(max(high_ns, low_ns * 1.1)) + 1e-9
    per_decade = min(float(rows), (CELL_ROWS_MAX - 2) / (high - low))
    first, last = math.floor(low * per_decade), math.ceil(high * per_decade)
    return [10 ** (number / per_decade) for number in range(first, last + 1)]


def _row_of_bucket(edges: Sequence[float]) -> NDArray[np.int64]:
    """The row that each bucket's middle lies in."""
    rows = np.searchsorted(np.array(edges), bucket_middles_ns(), side="right") - 1
    return np.clip(rows, 0, len(edges) - 2).astype(np.int64)


def _column_edges(columns: Sequence[Column]) -> list[float]:
    """Starts of all columns and the ends that no other begins at, so that gaps stay gaps."""
    return sorted({column.start_s for column in columns} | {column.end_s for column in columns})


def _line(name: str, groups: Sequence[Column], percentile: float) -> dict[str, Any] | None:
    if not groups:
        return None
    x: list[float | None] = []
    y: list[float | None] = []
    for group in groups:
        value = to_ms(group.percentile_ns(percentile))
        x += [group.start_s, group.end_s, None]
        y += [value, value, None]
    first = percentile == 50.0
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": {"color": "@series2" if first else "@ink", "width": 2.5},
        "hovertemplate": f"{name} %{{y:.3g}} ms<extra></extra>",
    }


def _message(
    columns: Sequence[Column], groups: Sequence[Column], limits: Sequence[Objective]
) -> str:
    slowest = max(columns, key=lambda column: column.max_ns)
    text = (
        f"The slowest signal took {format_duration_html(slowest.max_ns)}; it was due"
        f" {slowest.when} into the run."
    )
    for one in {one.limit_ns: one for one in limits}.values():
        limit_ns = one.limit_ns or 0
        over = [column for column in columns if column.count_from(limit_ns)]
        signals = sum(column.count_from(limit_ns) for column in over)
        text += (
            f" {format_count(signals)} signals took {format_duration_html(limit_ns)} or longer, in {len(over)}"
            f" of {len(columns)} stretches of time."
        )
    if groups:
        worst = max(groups, key=lambda group: group.percentile_ns(99) or 0)
        text += (
            f" P99 was worst from {worst.when}: {format_duration_html(worst.percentile_ns(99))}."
        )
    return text


def _table(columns: Sequence[Column]) -> Table:
    size = -(-len(columns) // ROWS_MAX)
    rows = [merge_columns(columns[at : at + size]) for at in range(0, len(columns), size)]

    def told(column: Column, percentile: float) -> str:
        enough = column.count >= _ENOUGH[percentile]
        return format_duration_html(column.percentile_ns(percentile)) if enough else "too few"

    return Table.of(
        "Latency of the signals due in each stretch of time",
        ("time", "signals", "P50", "P99", "max"),
        [
            (
                column.when,
                format_count(column.count),
                told(column, 50.0),
                told(column, 99.0),
                format_duration_html(column.max_ns),
            )
            for column in rows
        ],
    )
