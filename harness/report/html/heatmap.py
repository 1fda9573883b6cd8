"""Latency over time as a heat map that holds every signal at its due time, and the events.

A histogram has a place for each of its buckets, 200 kB; a column of the map only for filled ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import (
    bucket_high_ns,
    bucket_index,
    bucket_low_ns,
    bucket_middles_ns,
    rank_of,
)
from harness.analysis.histogram_encoding import HistogramInterval
from harness.analysis.statistics import size_needed
from harness.errors import EvidenceError
from harness.formatting import format_count, format_number
from harness.report.data import ReportData
from harness.report.html.axes import limit_label, limit_line, log_durations, time_axis
from harness.report.html.components import ROWS_MAX, Chart, MissingChart, Section, Table
from harness.report.html.formatting import escape_plotly, format_duration_html, to_ms
from harness.report.html.palette import HEAT
from harness.report.html.run_timeline import (
    RunTimeline,
    gate_tables,
    outside_table,
    scale_out_tables,
)
from harness.scenario import Objective

ROWS_PER_DECADE = 24
# With few signals per column, finer rows would look like stripes.
ROWS_PER_DECADE_FEW = 14
FEW = 1_000
CELL_ROWS_MAX = 120
_ENOUGH = {50.0: size_needed(50), 99.0: size_needed(99)}
COLUMNS_MAX = 600


def time_section(data: ReportData, timeline: RunTimeline) -> Section:
    """A heat map for each mode, and the events of the run."""
    return Section(
        "time",
        "Over time",
        "Every chart over time has the same time axis. Shaded: the warm-up, which is not judged,"
        " and the windows of faults. Numbered lines: events, listed below.",
        (*_heat_maps(data, timeline), *_event_tables(data, timeline)),
        template="time_range.html.j2",
    )


def _heat_maps(data: ReportData, timeline: RunTimeline) -> Iterator[Chart | MissingChart]:
    objectives = data.scenario.parsed_objectives()
    modes = list(dict.fromkeys(log.mode for log in data.latency))
    found = False
    for mode in modes:
        intervals = (i for log in data.latency if log.mode == mode for i in log.intervals())
        try:
            heat = heat_figure(mode, intervals, objectives, timeline)
        except EvidenceError as error:
            found = True
            yield MissingChart(f"heat-{mode}", f"Latency over time ({mode})", str(error))
            continue
        if heat is not None:
            found = True
            yield heat
    if not found:
        yield MissingChart("heat", "When were signals slow?", "the run has no latency over time")


def _event_tables(data: ReportData, timeline: RunTimeline) -> Iterator[Table]:
    if timeline.annotations:
        yield timeline.table()
    outside = outside_table(data.measurement)
    if outside is not None:
        yield outside
    yield from gate_tables(data.measurement)
    yield from scale_out_tables(data.measurement)


def heat_figure(
    mode: str,
    intervals: Iterable[HistogramInterval],
    objectives: Sequence[Objective],
    timeline: RunTimeline,
) -> Chart | None:
    """The heat map of a mode; None without a signal."""
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
        shows="Each cell counts the signals that were due in an interval (x axis) and had a latency"
        " (y axis): more contrast means more signals. Lines are P50 and P99; P99 covers as many"
        f" seconds as have at least {_ENOUGH[99.0]} signals.",
        good="Good: one level band far below the red line, with a few single cells above it. A"
        " tower is a pause; a rising band is a growing queue; two bands are two kinds of work.",
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
    """A label for each limit, with all objectives that have it."""
    texts: dict[int, list[str]] = {}
    for one in limits:
        texts.setdefault(one.limit_ns or 1, []).append(escape_plotly(one.text))
    return [limit_label(math.log10(limit / 1e6), ", ".join(t)) for limit, t in texts.items()]


def _heat(columns: Sequence[HeatColumn], low_ns: int) -> dict[str, Any]:
    few = sum(column.count for column in columns) < FEW * len(columns)
    edges = _edges(
        low_ns,
        max(column.max_ns for column in columns),
        ROWS_PER_DECADE_FEW if few else ROWS_PER_DECADE,
    )
    row_of = _row_of_bucket(edges)
    x = _column_edges(columns)
    index = {start: number for number, start in enumerate(x)}
    counts = np.zeros((len(edges) - 1, len(x) - 1), dtype=np.int64)
    for column in columns:
        np.add.at(counts[:, index[column.start_s]], row_of[column.buckets], column.counts)
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
    """Edges of rows, at equal distances on a logarithmic scale."""
    low, high = math.log10(low_ns), math.log10(max(high_ns, low_ns * 1.1)) + 1e-9
    per_decade = min(float(rows), (CELL_ROWS_MAX - 2) / (high - low))
    first, last = math.floor(low * per_decade), math.ceil(high * per_decade)
    return [10 ** (number / per_decade) for number in range(first, last + 1)]


def _row_of_bucket(edges: Sequence[float]) -> NDArray[np.int64]:
    """The row of each bucket's middle."""
    rows = np.searchsorted(np.array(edges), bucket_middles_ns(), side="right") - 1
    return np.clip(rows, 0, len(edges) - 2).astype(np.int64)


def _column_edges(columns: Sequence[HeatColumn]) -> list[float]:
    """Starts and ends of all columns, so that a gap is a column without signals."""
    return sorted({column.start_s for column in columns} | {column.end_s for column in columns})


def _line(name: str, groups: Sequence[HeatColumn], percentile: float) -> dict[str, Any] | None:
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
    columns: Sequence[HeatColumn], groups: Sequence[HeatColumn], limits: Sequence[Objective]
) -> str:
    slowest = max(columns, key=lambda column: column.max_ns)
    text = (
        f"The slowest signal took {format_duration_html(slowest.max_ns)}; it was due"
        f" {slowest.when} after the start."
    )
    for one in {one.limit_ns: one for one in limits}.values():
        limit_ns = one.limit_ns or 0
        over = [column for column in columns if column.count_from(limit_ns)]
        signals = sum(column.count_from(limit_ns) for column in over)
        text += (
            f" {format_count(signals)} signals took {format_duration_html(limit_ns)} or longer, in"
            f" {len(over)} of {len(columns)} intervals."
        )
    if groups:
        worst = max(groups, key=lambda group: group.percentile_ns(99) or 0)
        text += (
            f" P99 was highest from {worst.when}: {format_duration_html(worst.percentile_ns(99))}."
        )
    return text


def _table(columns: Sequence[HeatColumn]) -> Table:
    size = -(-len(columns) // ROWS_MAX)
    rows = [merge_columns(columns[at : at + size]) for at in range(0, len(columns), size)]

    def cell(column: HeatColumn, percentile: float) -> str:
        enough = column.count >= _ENOUGH[percentile]
        return format_duration_html(column.percentile_ns(percentile)) if enough else "too few"

    return Table.of(
        "Latency of the signals due in each interval",
        ("time", "signals", "P50", "P99", "max"),
        [
            (
                column.when,
                format_count(column.count),
                cell(column, 50.0),
                cell(column, 99.0),
                format_duration_html(column.max_ns),
            )
            for column in rows
        ],
    )


@dataclass(frozen=True, eq=False, slots=True)
class HeatColumn:
    """The signals that were due in one interval.

    Attributes:
        start_s, end_s: seconds after t0.
        buckets: indexes of the filled buckets of the histogram, ascending.
        counts: number of signals in each of them.
    """

    start_s: float
    end_s: float
    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of signals."""
        return int(self.counts.sum())

    @property
    def min_ns(self) -> int:
        """Lower end of the first bucket; 0 when empty."""
        return bucket_low_ns(int(self.buckets[0])) if len(self.buckets) else 0

    @property
    def max_ns(self) -> int:
        """Upper end of the last bucket; 0 when empty."""
        return bucket_high_ns(int(self.buckets[-1])) if len(self.buckets) else 0

    @property
    def when(self) -> str:
        """The interval as text."""
        return f"{format_number(self.start_s)} to {format_number(self.end_s)} s"

    def percentile_ns(self, percentile: float) -> int | None:
        """Upper end of the percentile's bucket, 0 < percentile < 100; None when empty."""
        if not self.count:
            return None
        rank = rank_of(percentile, self.count)
        return bucket_high_ns(int(self.buckets[np.searchsorted(np.cumsum(self.counts), rank)]))

    def count_from(self, limit_ns: int) -> int:
        """Number of signals in the limit's bucket or above."""
        first = int(bucket_index(np.array([limit_ns], dtype=np.int64))[0])
        return int(self.counts[self.buckets >= first].sum())


def columns_of(intervals: Iterable[HistogramInterval]) -> list[HeatColumn]:
    """One column for each interval that has signals, of any phase; at most COLUMNS_MAX."""
    by_start: dict[float, list[HeatColumn]] = {}
    for part in intervals:
        filled = np.flatnonzero(part.histogram.counts)
        if len(filled):
            end_s = part.start_s + part.length_s
            column = HeatColumn(part.start_s, end_s, filled, part.histogram.counts[filled])
            by_start.setdefault(part.start_s, []).append(column)
    columns = [merge_columns(by_start[start]) for start in sorted(by_start)]
    size = -(-len(columns) // COLUMNS_MAX) or 1
    return [merge_columns(columns[at : at + size]) for at in range(0, len(columns), size)]


def merge_columns(columns: Sequence[HeatColumn]) -> HeatColumn:
    """Adjacent columns as one."""
    if len(columns) == 1:
        return columns[0]
    buckets, indexes = np.unique(
        np.concatenate([column.buckets for column in columns]), return_inverse=True
    )
    counts = np.zeros(len(buckets), dtype=np.int64)
    np.add.at(counts, indexes, np.concatenate([column.counts for column in columns]))
    return HeatColumn(columns[0].start_s, columns[-1].end_s, buckets, counts)


def group_columns(columns: Sequence[HeatColumn], enough: int) -> list[HeatColumn]:
    """Adjacent columns merged until each has enough signals; too few at the end are dropped."""
    groups: list[HeatColumn] = []
    pending: list[HeatColumn] = []
    for column in columns:
        pending.append(column)
        if sum(one.count for one in pending) >= enough:
            groups.append(merge_columns(pending))
            pending = []
    return groups
