"""Each resource against its limit, on the run's time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.resources.telemetry import LockWait, Telemetry, TimeSeries
from harness.formatting import format_number, format_share_fixed
from harness.report.html.axes import limit_line, time_axis
from harness.report.html.components import Chart, MissingChart, Table
from harness.report.html.downsampling import downsample_peaks
from harness.report.html.formatting import escape_plotly, format_duration_html
from harness.report.html.palette import DASHES, SERIES
from harness.report.html.panels import (
    GROUPS,
    Panel,
    PanelGroup,
    line_names,
    panels_of,
    unassigned_series,
)
from harness.report.html.run_timeline import RunTimeline
from harness.report.html.units import Unit, axis_max, unit_of

POINTS_MAX = 600
REST_MAX = 24
PANEL_PX = 84
# Above a panel stands its title, and in a second row which line is which.
_HEAD_PX = 28
_KEY_PX = 18
_TOP_PX, _BOTTOM_PX = 22, 50


def resource_parts(telemetry: Telemetry, timeline: RunTimeline) -> list[Chart | MissingChart]:
    """A figure for each group of tracks that there are."""
    if not telemetry.present:
        why = "this run kept no telemetry: it was made by an earlier version, or without it"
        return [MissingChart("telemetry", "What did the system have to work with?", why)]
    taken: set[str] = set()
    parts: list[Chart | MissingChart] = []
    for group in GROUPS:
        panels = panels_of(group, telemetry, taken)
        if panels:
            parts.append(_figure(group, panels, timeline))
        elif group.key in ("cpu", "memory", "redis", "postgres"):
            parts.append(MissingChart(group.key, group.title, _unread(group.key, telemetry)))
    return parts


def further_parts(telemetry: Telemetry, timeline: RunTimeline) -> list[Chart | Table]:
    """The tracks that no question is about, and every lock wait that was seen."""
    taken: set[str] = set()
    for group in GROUPS:
        panels_of(group, telemetry, taken)
    rest = unassigned_series(telemetry, taken)
    parts: list[Chart | Table] = []
    if rest:
        left = "" if len(rest) <= REST_MAX else f" The first {REST_MAX} of {len(rest)} are drawn."
        group = PanelGroup(
            key="further",
            title="Everything else that changed",
            shows=f"Tracks that no question above is about, each in its own unit.{left}",
            good="Good: nothing that moves in the same seconds as the latency.",
            rules=(),
        )
        panels = [Panel(track.name, (track,)) for track in rest[:REST_MAX]]
        parts.append(_figure(group, panels, timeline))
    if telemetry.lock_waits:
        parts.append(_waits(telemetry.lock_waits))
    return parts


def unread_table(telemetry: Telemetry) -> Table | None:
    """What could not be read, and why."""
    if not telemetry.unread:
        return None
    rows = [(subject, why) for subject, why in sorted(telemetry.unread.items())]
    return Table.of("What could not be read", ("subject", "why"), rows, numbers=False)


def _unread(key: str, telemetry: Telemetry) -> str:
    reasons = [f"{subject}: {why}" for subject, why in telemetry.unread.items() if key in subject]
    return "; ".join(reasons) or "no such figures are in this run's telemetry"


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
        unit = unit_of(panel.tracks[0].name, axis_max(panel.tracks))
        traces += _lines(panel, axis, unit)
        layout[f"yaxis{number + 1}" if number else "yaxis"] = _axis(panel, unit, low, top)
        layout["annotations"].append(_title(panel, top))
        layout["shapes"] += _limits(panel, unit, axis)
    last = f"y{len(panels)}" if len(panels) > 1 else "y"
    layout["xaxis"] = {**time_axis(timeline.end_s), "anchor": last}
    tracks = [track for panel in panels for track in panel.tracks]
    return Chart(
        key=group.key,
        title=group.title,
        shows=group.shows,
        good=group.good,
        message=_message(panels),
        traces=tuple(traces),
        layout=layout,
        tables=(_table(tracks),),
        height_px=inner_px + _TOP_PX + _BOTTOM_PX,
        on_time=True,
    )


def _domains(panels: Sequence[Panel]) -> tuple[list[tuple[float, float]], int]:
    """Lower and upper end of each panel as shares of the height, and that height."""
    heads = [_HEAD_PX + (_KEY_PX if len(panel.tracks) > 1 else 0) for panel in panels]
    total = sum(heads) + PANEL_PX * len(panels)
    domains, used = [], 0
    for head in heads:
        top = 1 - (used + head) / total
        used += head + PANEL_PX
        domains.append((max(0.0, 1 - used / total), top))
    return domains, total


def _lines(panel: Panel, axis: str, unit: Unit) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for number, (track, name) in enumerate(
        zip(panel.tracks, line_names(panel.tracks), strict=True)
    ):
        points = downsample_peaks(track.at_s, track.values, POINTS_MAX)
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
    highest = axis_max(panel.tracks) / unit.scale
    return {
        "title": {"text": unit.name},
        "domain": [low, top],
        "range": [0, 1.18 * highest if highest > 0 else 1],
        "nticks": 4,
        "zeroline": False,
    }


def _title(panel: Panel, top: float) -> dict[str, Any]:
    text = f"<b>{escape_plotly(panel.title)}</b>"
    if len(panel.tracks) > 1:
        names = line_names(panel.tracks)
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
    """The end of a name, which tells it from its neighbours."""
    return name if len(name) <= _NAME_MAX else f"…{name[1 - _NAME_MAX :]}"


_NAME_MAX = 22
_DASH_SIGNS = ("━━", "╍╍", "┅┅", "━ ·", "━ ━", "━ -")


def _limits(panel: Panel, unit: Unit, axis: str) -> list[dict[str, Any]]:
    """A line for each limit of a panel, once; labelled with its value and where it was read."""
    shapes = []
    for limit, source in sorted({(t.limit, t.limit_source) for t in panel.tracks if t.limit}):
        told = f"limit {unit.text(limit)}" + (f" ({escape_plotly(source)})" if source else "")
        label = {
            "text": told,
            "textposition": "end",
            "yanchor": "top",
            "font": {"color": "@limit", "size": 11},
        }
        shapes.append({**limit_line(limit / unit.scale, yref=axis), "label": label})
    return shapes


def _highest(track: TimeSeries) -> tuple[float, float]:
    """The largest value and when it was."""
    at = max(range(len(track.values)), key=track.values.__getitem__)
    return track.values[at], track.at_s[at]


def _message(panels: Sequence[Panel]) -> str:
    """What came nearest to its limit, or else how high the first ones went."""
    tracks = [track for panel in panels for track in panel.tracks]
    titles = {track.name: panel.title for panel in panels for track in panel.tracks}
    limited = [track for track in tracks if track.limit]
    if limited:
        nearest = max(limited, key=lambda track: _highest(track)[0] / (track.limit or 1.0))
        value, at_s = _highest(nearest)
        limit = nearest.limit or 1.0
        unit = unit_of(nearest.name, max(value, limit))
        return (
            f"Nearest to its limit came {titles[nearest.name]}: {unit.text(value)}"
            f" of {unit.text(limit)} ({format_share_fixed(value / limit)}), {format_number(at_s)} s into the run."
        )
    told = []
    for track in tracks[:3]:
        value, at_s = _highest(track)
        told.append(f"{titles[track.name]} at most {unit_of(track.name, value).text(value)}")
    return "No limit is known here. " + "; ".join(told) + "."


def _table(tracks: Sequence[TimeSeries]) -> Table:
    rows = []
    for track in tracks:
        value, at_s = _highest(track)
        unit = unit_of(track.name, max(value, track.limit or 0.0))
        rows.append(
            (
                track.name,
                unit.text(sum(track.values) / len(track.values)),
                unit.text(value),
                f"{format_number(at_s)} s",
                unit.text(track.limit) if track.limit else "-",
                format_share_fixed(value / track.limit) if track.limit else "-",
                track.limit_source or "-",
            )
        )
    heads = ("track", "mean", "max", "max at", "limit", "max of limit", "limit read from")
    return Table.of("The same tracks in figures", heads, rows)


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
    heads = ("seen at", "had waited", "table", "waiting statement", "who held it")
    return Table.of("Lock waits that were seen in PostgreSQL", heads, rows, numbers=False)
