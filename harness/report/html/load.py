"""The intended load compared with the load that was sent: rate, backlog, send lag."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from harness.analysis.measurement import Durations, Measurement, SignalCounts, ThroughputFigures
from harness.formatting import format_count, format_number, format_share_fixed
from harness.judge.limits import LATENESS_P99, LATENESS_P999
from harness.report.data import ReportData
from harness.report.html.axes import limit_label, limit_line, log_durations, time_axis
from harness.report.html.components import ROWS_MAX, Chart, MissingChart, Section, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.run_timeline import RunTimeline
from harness.scenario import Scenario

_MISSING = "this run has no figures per second: an earlier version made it"
_RATES: tuple[tuple[str, str, str, Callable[[ThroughputFigures], int]], ...] = (
    ("due", "@series5", "solid", lambda second: second.intended),
    ("sent", "@series1", "solid", lambda second: second.sent),
    ("accepted by Redis", "@series4", "dot", lambda second: second.accepted),
    ("SIMULATED", "@series3", "dash", lambda second: second.simulated),
)


def load_section(data: ReportData, timeline: RunTimeline) -> Section:
    """Rate and send lag of the generator."""
    return Section(
        "load",
        "The load",
        "Latency is comparable only where the load was sent as planned and on time.",
        (
            rate_figure(data.measurement, timeline),
            lateness_figure(data.measurement, data.scenario, timeline),
        ),
    )


def rate_figure(measurement: SignalCounts, timeline: RunTimeline) -> Chart | MissingChart:
    """Signals per second that were due, sent, accepted and simulated, and those in flight."""
    title, seconds = "Was the intended load sent?", measurement.seconds
    if not seconds:
        return MissingChart("rate", title, _MISSING)
    x = [second.start_s for second in seconds]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": x,
            "y": [float(f"{of(second) / second.length_s:.4g}") for second in seconds],
            "line": {
                "color": colour,
                "dash": dash,
                "width": 3 if name == "due" else 2,
                "shape": "hv",
            },
            "hovertemplate": f"{name} %{{y:.4g}}/s<extra></extra>",
        }
        for name, colour, dash, of in _RATES
    ]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "in flight",
            "x": [seconds[0].start_s, *(one.start_s + one.length_s for one in seconds)],
            "y": [0, *(second.in_flight for second in seconds)],
            "yaxis": "y2",
            "fill": "tozeroy",
            "fillcolor": "@track",
            "line": {"color": "@series2", "width": 2, "shape": "vh"},
            "hovertemplate": "%{y:,} in flight<extra></extra>",
        }
    )
    return Chart(
        key="rate",
        title=title,
        shows="Above: signals per second that were due by the schedule, sent, accepted by Redis,"
        " and SIMULATED. Below: signals in flight (sent and not final) at the end of an interval.",
        good="Good: the four lines coincide, and few signals are in flight. Sent below due means"
        " that the generator is late; SIMULATED below sent means that the system is, and signals"
        " queue.",
        message=_rate_message(measurement),
        traces=tuple(traces),
        layout={
            "xaxis": {**time_axis(timeline.end_s), "anchor": "y2"},
            "yaxis": {
                "title": {"text": "signals/s"},
                "rangemode": "tozero",
                "domain": [0.38, 1.0],
            },
            "yaxis2": {
                "title": {"text": "in flight"},
                "rangemode": "tozero",
                "domain": [0.0, 0.28],
            },
            "shapes": timeline.shapes(),
            "annotations": timeline.numbers(),
            "hovermode": "x",
        },
        tables=(_rate_table(seconds),),
        height_px=430,
        on_time=True,
    )


def _rate_message(measurement: SignalCounts) -> str:
    parts = []
    for rate in measurement.rates:
        if rate.phase != "measure":
            continue
        if rate.intended is not None and rate.share is not None:
            parts.append(
                f"{format_count(rate.in_phase)} of {format_count(rate.intended)} signals due in the"
                f" measured phase were sent within it ({format_share_fixed(rate.share)})."
            )
    most = max(measurement.seconds, key=lambda second: second.in_flight)
    end_s = most.start_s + most.length_s
    parts.append(
        f"At most {format_count(most.in_flight)} were in flight, {end_s:g} s after the start."
    )
    return " ".join(parts)


def _rate_table(seconds: Sequence[ThroughputFigures]) -> Table:
    size = -(-len(seconds) // ROWS_MAX)
    rows = []
    for at in range(0, len(seconds), size):
        part = seconds[at : at + size]
        length_s = sum(second.length_s for second in part)
        rates = [format_number(sum(of(one) for one in part) / length_s) for _, _, _, of in _RATES]
        interval = f"{part[0].start_s:g} to {part[-1].start_s + part[-1].length_s:g}"
        rows.append((interval, *rates, format_count(part[-1].in_flight)))
    heads = ("seconds", *(f"{name}/s" for name, _, _, _ in _RATES), "in flight at the end")
    return Table.of("Signals per second", heads, rows)


def lateness_figure(
    measurement: Measurement, scenario: Scenario, timeline: RunTimeline
) -> Chart | MissingChart:
    """Send lag of the generator, with the limits of a valid run."""
    title, seconds = "Was the generator on time?", measurement.seconds
    if not seconds:
        return MissingChart("lateness", title, _MISSING)
    p99_ns, p999_ns = LATENESS_P99.of(scenario), LATENESS_P999.of(scenario)
    longest = [second.lateness_max_ns for second in seconds if (second.lateness_max_ns or 0) > 0]
    known = [second.lateness_p99_ns for second in seconds if second.lateness_p99_ns]
    traces: list[dict[str, Any]] = [_late("longest of each interval", "@series1", "lines+markers")]
    traces[0]["x"] = [second.start_s + second.length_s / 2 for second in seconds]
    traces[0]["y"] = [_above_zero(second.lateness_max_ns) for second in seconds]
    if known:
        traces.append(_late("P99 of each interval", "@series2", "lines"))
        traces[1]["x"] = traces[0]["x"]
        traces[1]["y"] = [_above_zero(second.lateness_p99_ns) for second in seconds]
    lows = [value for value in (*longest, *known) if value]
    return Chart(
        key="lateness",
        title=title,
        shows="Lateness: how long after its due time the generator sent a signal. It is part of the"
        " latency, and the system has no influence on it. P99 is drawn where an interval has"
        " enough signals.",
        good="Good: far below both red lines, the limits of P99 (lower) and P99.9 (upper) of the"
        " whole run. A run beyond one of them is INVALID: its load was not the intended one.",
        message=_late_message(measurement, p99_ns, p999_ns),
        traces=tuple(traces),
        layout={
            "xaxis": time_axis(timeline.end_s),
            "yaxis": log_durations(
                min(lows, default=100_000), max([*lows, 1.6 * p999_ns]), "lateness (logarithmic)"
            ),
            "shapes": [
                *timeline.shapes(),
                limit_line(to_ms(p99_ns) or 0.0),
                limit_line(to_ms(p999_ns) or 0.0),
            ],
            "annotations": [
                *timeline.numbers(),
                limit_label(
                    math.log10(p99_ns / 1e6), f"limit of P99, {format_duration_html(p99_ns)}"
                ),
                limit_label(
                    math.log10(p999_ns / 1e6), f"limit of P99.9, {format_duration_html(p999_ns)}"
                ),
            ],
            "hovermode": "x",
        },
        tables=(_late_table(seconds),),
        height_px=320,
        on_time=True,
    )


def _above_zero(value_ns: int | None) -> float | None:
    return to_ms(value_ns) if value_ns and value_ns > 0 else None


def _late(name: str, colour: str, mode: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "line": {"color": colour, "width": 2},
        "marker": {"size": 4, "color": colour},
        "hovertemplate": f"{name}: %{{y:.3g}} ms<extra></extra>",
    }


def _late_message(measurement: Durations, p99_ns: int, p999_ns: int) -> str:
    parts = []
    for figures in measurement.figures:
        if (figures.phase, figures.metric) != ("measure", "lateness") or not figures.count:
            continue
        parts_of_mode = [
            f"{name.upper()} {format_duration_html(figures.percentiles_ns[name])}"
            f" (limit {format_duration_html(limit)})"
            for name, limit in (("p99", p99_ns), ("p99.9", p999_ns))
            if name in figures.percentiles_ns
        ]
        parts_of_mode.append(f"max {format_duration_html(figures.max_ns)}")
        parts.append(f"Lateness of {figures.mode} signals: {', '.join(parts_of_mode)}.")
    return " ".join(parts) or "No measured signal was sent."


def _late_table(seconds: Sequence[ThroughputFigures]) -> Table:
    size = -(-len(seconds) // ROWS_MAX)
    rows = []
    for at in range(0, len(seconds), size):
        part = seconds[at : at + size]
        p99 = [one.lateness_p99_ns for one in part if one.lateness_p99_ns is not None]
        longest = [one.lateness_max_ns for one in part if one.lateness_max_ns is not None]
        rows.append(
            (
                f"{part[0].start_s:g} to {part[-1].start_s + part[-1].length_s:g}",
                format_duration_html(max(p99)) if p99 else "too few",
                format_duration_html(max(longest, default=None)),
            )
        )
    heads = ("seconds", "largest P99", "longest")
    return Table.of("Lateness of the generator", heads, rows)
