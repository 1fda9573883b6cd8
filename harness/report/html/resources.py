"""Each resource against its limit, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.resources.telemetry import LockWait, Telemetry, TimeSeries
from harness.formatting import format_number, format_share_fixed
from harness.report.data import ReportData
from harness.report.html.axes import limit_line, time_axis
from harness.report.html.components import Chart, MissingChart, Section, Table, downsample_peaks
from harness.report.html.formatting import escape_plotly, format_duration_html
from harness.report.html.palette import DASHES, SERIES
from harness.report.html.panels import (
    GROUPS,
    Panel,
    PanelGroup,
    Unit,
    axis_max,
    line_names,
    panels_of,
    unassigned_series,
    unit_of,
)
from harness.report.html.run_timeline import RunTimeline

POINTS_MAX = 600
REST_MAX = 24
PANEL_PX = 84
# Above a panel: its title, and in a second row the key of its lines.
_HEAD_PX = 28
_KEY_PX = 18
_TOP_PX, _BOTTOM_PX = 22, 50


def resources_section(data: ReportData, timeline: RunTimeline) -> Section:
    """Telemetry of services, servers and host."""
    unread = unread_table(data.telemetry)
    further = further_parts(data.telemetry, timeline)
    return Section(
        "resources",
        "Resources",
        "The resources of the system per second, each against its limit.",
        tuple(resource_parts(data.telemetry, timeline)),
        further=(*further, *(() if unread is None else (unread,))),
        further_title="More telemetry",
    )


def resource_parts(telemetry: Telemetry, timeline: RunTimeline) -> list[Chart | MissingChart]:
    """A chart for each group that has series."""
    if not telemetry.present:
        why = "this run has no telemetry: an earlier version made it, or it was switched off"
        return [MissingChart("telemetry", "Which resources did the system have?", why)]
    drawn: set[str] = set()
    parts: list[Chart | MissingChart] = []
    for group in GROUPS:
        panels = panels_of(group, telemetry, drawn)
        if panels:
            parts.append(_figure(group, panels, timeline))
        elif group.key in ("cpu", "memory", "redis", "postgres"):
            parts.append(MissingChart(group.key, group.title, _unread(group.key, telemetry)))
    return parts


def further_parts(telemetry: Telemetry, timeline: RunTimeline) -> list[Chart | Table]:
    """The series that no group has drawn, and every sampled lock wait."""
    drawn: set[str] = set()
    for group in GROUPS:
        panels_of(group, telemetry, drawn)
    rest = unassigned_series(telemetry, drawn)
    parts: list[Chart | Table] = []
    if rest:
        cut = "" if len(rest) <= REST_MAX else f" The first {REST_MAX} of {len(rest)} are drawn."
        group = PanelGroup(
            key="further",
            title="All other series that changed",
            shows=f"Series that no chart above has, each in its own unit.{cut}",
            good="Good: nothing that changes in the same seconds as the latency.",
            rules=(),
        )
        panels = [Panel(one.name, (one,)) for one in rest[:REST_MAX]]
        parts.append(_figure(group, panels, timeline))
    if telemetry.lock_waits:
        parts.append(_waits(telemetry.lock_waits))
    return parts


def unread_table(telemetry: Telemetry) -> Table | None:
    """Sources without telemetry, and why."""
    if not telemetry.unread:
        return None
    rows = [(subject, why) for subject, why in sorted(telemetry.unread.items())]
    return Table.of("Missing telemetry", ("source", "reason"), rows, numbers=False)


def _unread(key: str, telemetry: Telemetry) -> str:
    reasons = [f"{subject}: {why}" for subject, why in telemetry.unread.items() if key in subject]
    return "; ".join(reasons) or "this run's telemetry has no such series"


def _figure(group: PanelGroup, panels: Sequence[Panel], timeline: RunTimeline) -> Chart:
    domains, inner_px = _domains(panels)
    layout: dict[str, Any] = {
        "hovermode": "x",
        "hoversubplots": "axis",
        "shapes": timeline.shapes(),
        "annotations": timeline.numbers(),
        "margin": {"t": _TOP_PX, "b": _BOTTOM_PX},
    }
    traces: list[dict[str, Any]] = []
    for number, panel in enumerate(panels):
        axis = f"y{number + 1}" if number else "y"
        low, top = domains[number]
        unit = unit_of(panel.series[0].name, axis_max(panel.series))
        traces += _lines(panel, axis, unit)
        layout[f"yaxis{number + 1}" if number else "yaxis"] = _axis(panel, unit, low, top)
        layout["annotations"].append(_title(panel, top))
        layout["shapes"] += _limits(panel, unit, axis)
    last = f"y{len(panels)}" if len(panels) > 1 else "y"
    layout["xaxis"] = {**time_axis(timeline.end_s), "anchor": last}
    series = [one for panel in panels for one in panel.series]
    return Chart(
        key=group.key,
        title=group.title,
        shows=group.shows,
        good=group.good,
        message=_message(panels),
        traces=tuple(traces),
        layout=layout,
        tables=(_table(series),),
        height_px=inner_px + _TOP_PX + _BOTTOM_PX,
        on_time=True,
    )


def _domains(panels: Sequence[Panel]) -> tuple[list[tuple[float, float]], int]:
    """Lower and upper end of each panel as shares of the height, and that height."""
    heads = [_HEAD_PX + (_KEY_PX if len(panel.series) > 1 else 0) for panel in panels]
    total = sum(heads) + PANEL_PX * len(panels)
    domains, used = [], 0
    for head in heads:
        top = 1 - (used + head) / total
        used += head + PANEL_PX
        domains.append((max(0.0, 1 - used / total), top))
    return domains, total


def _lines(panel: Panel, axis: str, unit: Unit) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for number, (one, name) in enumerate(zip(panel.series, line_names(panel.series), strict=True)):
        points = downsample_peaks(one.at_s, one.values, POINTS_MAX)
        lines.append(
            {
                "type": "scatter",
                "mode": "lines" if len(points) > 1 else "markers",
                "name": escape_plotly(name),
                "x": [float(f"{at:.6g}") for at, _ in points],
                "y": [float(f"{value / unit.scale:.5g}") for _, value in points],
                "yaxis": axis,
                "line": {
                    "color": SERIES[number % len(SERIES)],
                    "dash": DASHES[number % len(DASHES)],
                    "width": 1.8,
                },
                "hovertemplate": f"%{{y:.4~g}} {unit.name}<extra>%{{fullData.name}}</extra>",
                "showlegend": False,
            }
        )
    return lines


def _axis(panel: Panel, unit: Unit, low: float, top: float) -> dict[str, Any]:
    highest = axis_max(panel.series) / unit.scale
    return {
        "title": {"text": unit.name},
        "domain": [low, top],
        "range": [0, 1.18 * highest if highest > 0 else 1],
        "nticks": 4,
        "zeroline": False,
    }


def _title(panel: Panel, top: float) -> dict[str, Any]:
    text = f"<b>{escape_plotly(panel.title)}</b>"
    if len(panel.series) > 1:
        names = line_names(panel.series)
        text += "<br>" + "  ".join(
            f'<span style="color:{SERIES[n % len(SERIES)]}">{_DASH_SIGNS[n % len(DASHES)]}</span>'
            f" {escape_plotly(_short(name))}"
            for n, name in enumerate(names)
        )
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": top,
        "yref": "paper",
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
        "align": "left",
    }


def _short(name: str) -> str:
    """The end of a name, which is its distinctive part."""
    return name if len(name) <= _NAME_MAX else f"…{name[1 - _NAME_MAX :]}"


_NAME_MAX = 22
_DASH_SIGNS = ("━━", "╍╍", "┅┅", "━ ·", "━ ━", "━ -")


def _limits(panel: Panel, unit: Unit, axis: str) -> list[dict[str, Any]]:
    """A line for each limit of a panel, labelled with its value and its source."""
    shapes = []
    for limit, source in sorted({(t.limit, t.limit_source) for t in panel.series if t.limit}):
        text = f"limit {unit.text(limit)}" + (f" ({escape_plotly(source)})" if source else "")
        label = {
            "text": text,
            "textposition": "end",
            "yanchor": "top",
            "font": {"color": "@limit", "size": 11},
        }
        shapes.append({**limit_line(limit / unit.scale, yref=axis), "label": label})
    return shapes


def _highest(series: TimeSeries) -> tuple[float, float]:
    """The largest value and its time."""
    at = max(range(len(series.values)), key=series.values.__getitem__)
    return series.values[at], series.at_s[at]


def _message(panels: Sequence[Panel]) -> str:
    """The series nearest to its limit, or else the maximum of the first ones."""
    series = [one for panel in panels for one in panel.series]
    titles = {one.name: panel.title for panel in panels for one in panel.series}
    limited = [one for one in series if one.limit]
    if limited:
        nearest = max(limited, key=lambda one: _highest(one)[0] / (one.limit or 1.0))
        value, at_s = _highest(nearest)
        limit = nearest.limit or 1.0
        unit = unit_of(nearest.name, max(value, limit))
        return (
            f"Nearest to its limit: {titles[nearest.name]}, {unit.text(value)} of"
            f" {unit.text(limit)} ({format_share_fixed(value / limit)}), {format_number(at_s)} s"
            " after the start."
        )
    maxima = []
    for one in series[:3]:
        value, at_s = _highest(one)
        maxima.append(f"{titles[one.name]} at most {unit_of(one.name, value).text(value)}")
    return "No limit is known. " + "; ".join(maxima) + "."


def _table(series: Sequence[TimeSeries]) -> Table:
    rows = []
    for one in series:
        value, at_s = _highest(one)
        unit = unit_of(one.name, max(value, one.limit or 0.0))
        rows.append(
            (
                one.name,
                unit.text(sum(one.values) / len(one.values)),
                unit.text(value),
                f"{format_number(at_s)} s",
                unit.text(one.limit) if one.limit else "-",
                format_share_fixed(value / one.limit) if one.limit else "-",
                one.limit_source or "-",
            )
        )
    heads = ("series", "mean", "max", "max at", "limit", "max of limit", "source of limit")
    return Table.of("The same series in figures", heads, rows)


def _waits(waits: Sequence[LockWait]) -> Table:
    rows = [
        (
            f"{format_number(wait.at_s)} s",
            format_duration_html(wait.waited_ms * 1e6),
            wait.relation or "-",
            ("FOR UPDATE: " if wait.for_update else "") + wait.statement,
            "; ".join(f"{state}: {statement}" for state, statement in wait.holders) or "-",
        )
        for wait in waits
    ]
    heads = ("sampled at", "waited for", "table", "waiting statement", "lock holder")
    return Table.of("Sampled lock waits in PostgreSQL", heads, rows, numbers=False)
