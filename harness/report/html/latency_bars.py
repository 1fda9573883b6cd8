"""Latency over time as bars, for the top of the page and for the card: drawn without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.formatting import format_number
from harness.report.data import ReportData
from harness.report.html.formatting import format_duration_html
from harness.report.html.heatmap import HeatColumn, columns_of, merge_columns

BARS_MAX = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """Latency of the signals due in one interval; positions are shares of the picture, 0 to 1.

    Attributes:
        left, width: of the interval, from the left.
        top: of the slowest signal, from the top; latency is logarithmic.
        bottom: of the P50, from the top.
    """

    left: float
    width: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Latency over time.

    Attributes:
        limits: texts and positions from the top.
        bar_s: length of the interval of a bar.
    """

    bars: tuple[Bar, ...]
    limits: tuple[tuple[str, float], ...]
    start: str
    end: str
    bar_s: str
    slowest: str


def picture_of_run(data: ReportData) -> Picture | None:
    """Latency of the measured phase, with the limits of its percentiles; None without a signal."""
    logs = (log for log in data.latency if log.phase == "measure")
    columns = columns_of(interval for log in logs for interval in log.intervals())
    limits = {
        one.limit_ns
        for one in data.scenario.parsed_objectives()
        if one.is_latency_percentile and one.limit_ns
    }
    return picture_of(columns, sorted(limits))


def picture_of(columns: Sequence[HeatColumn], limits_ns: Sequence[int]) -> Picture | None:
    """A bar for each of at most BARS_MAX intervals; None without a signal."""
    if not columns:
        return None
    size = -(-len(columns) // BARS_MAX)
    groups = [merge_columns(columns[at : at + size]) for at in range(0, len(columns), size)]
    start_s, end_s = groups[0].start_s, groups[-1].end_s
    middles_ns = [group.percentile_ns(50) or 1 for group in groups]
    slowest_ns = max(group.max_ns for group in groups)
    low = math.log10(min([*middles_ns, *limits_ns])) - 0.1
    high = math.log10(max(slowest_ns, *limits_ns, 1)) + 0.1

    def down(value_ns: int) -> float:
        return round((high - math.log10(max(value_ns, 1))) / (high - low), 4)

    def right(at_s: float) -> float:
        return round((at_s - start_s) / (end_s - start_s), 4)

    return Picture(
        bars=tuple(
            Bar(
                left=right(group.start_s),
                width=round(right(group.end_s) - right(group.start_s), 4),
                top=down(group.max_ns),
                bottom=down(middle_ns),
            )
            for group, middle_ns in zip(groups, middles_ns, strict=True)
        ),
        limits=tuple((format_duration_html(limit), down(limit)) for limit in limits_ns),
        start=f"{format_number(start_s)} s",
        end=f"{format_number(end_s)} s",
        bar_s=format_number(max(group.end_s - group.start_s for group in groups)),
        slowest=format_duration_html(slowest_ns),
    )
