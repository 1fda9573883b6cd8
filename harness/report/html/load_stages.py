"""The stages of the load: a table, and throughput and latency against the number of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.stage_figures import StageFigures
from harness.formatting import format_count, format_number
from harness.report.data import ReportData
from harness.report.html.axes import log_durations
from harness.report.html.components import Chart, Section, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.run_timeline import RunTimeline
from harness.report.stages import STAGE_HEADS, stage_rows


def load_stages_section(data: ReportData, _: RunTimeline) -> Section:
    """The stages; empty for a load of one stage."""
    stages = data.measurement.stages
    if not stages:
        return Section("load-stages", "Stages of the load", "")
    caption = "Stages of the load, repetitions of a stage together"
    parts: list[Chart | Table] = [Table.of(caption, STAGE_HEADS, stage_rows(data.measurement))]
    if len({stage.agents for stage in stages}) > 1:
        parts.append(agents_figure(stages))
    return Section(
        "load-stages",
        "Stages of the load",
        "What each stage of the load asked for and got. The interval of a P99 has 95 % confidence"
        " at each end.",
        tuple(parts),
    )


def agents_figure(stages: Sequence[StageFigures]) -> Chart:
    """Throughput and latency of each stage against its number of agents."""
    ordered = sorted(stages, key=lambda stage: stage.agents)
    first, last = ordered[0], ordered[-1]
    known = [
        value
        for stage in ordered
        for latency in stage.latency
        for value in (latency.p50_ns, latency.p99_ns, latency.p99_upper_ns)
        if value
    ]
    return Chart(
        key="load-stages-agents",
        title="What do more agents cost?",
        shows="Above: signals per second of each stage that were asked for, sent, and SIMULATED."
        " Below: P50, and P99 with its interval. Each point is one stage.",
        good="Good: the three rates coincide, and latency stays level while agents are added.",
        message=f"From {format_count(first.agents, 'agent')} to {format_count(last.agents)}:"
        f" {format_number(first.rate_sent)} to {format_number(last.rate_sent)} signals/s sent,"
        f" P99 {_p99(first)} to {_p99(last)}.",
        traces=(*_rates(ordered), *_latencies(ordered)),
        layout={
            "xaxis": {"title": {"text": "agents"}, "anchor": "y2", "rangemode": "tozero"},
            "yaxis": {"title": {"text": "signals/s"}, "rangemode": "tozero", "domain": [0.56, 1]},
            "yaxis2": {
                **log_durations(
                    min(known, default=1_000_000), max(known, default=1_000_000), "latency (log)"
                ),
                "domain": [0.0, 0.44],
            },
            "hovermode": "closest",
        },
        tables=(_table(ordered),),
        height_px=460,
    )


def _rates(stages: Sequence[StageFigures]) -> list[dict[str, Any]]:
    series = (
        ("asked for", "@series5", [stage.rate_asked for stage in stages]),
        ("sent", "@series1", [stage.rate_sent for stage in stages]),
        ("SIMULATED", "@series3", [stage.simulated_per_s for stage in stages]),
    )
    return [
        {
            **_points(name, colour, stages),
            "y": [None if value is None else float(f"{value:.4g}") for value in values],
            "hovertemplate": f"%{{x}} agents: {name} %{{y:.4g}}/s<extra></extra>",
        }
        for name, colour, values in series
    ]


def _latencies(stages: Sequence[StageFigures]) -> list[dict[str, Any]]:
    modes = list(dict.fromkeys(one.mode for stage in stages for one in stage.latency))
    traces: list[dict[str, Any]] = []
    for mode in modes:
        pairs = [(stage, one) for stage in stages for one in stage.latency if one.mode == mode]
        own = [stage for stage, _ in pairs]
        suffix = f" ({mode})" if len(modes) > 1 else ""
        p99 = [to_ms(one.p99_ns) for _, one in pairs]
        above = [_distance(one.p99_upper_ns, one.p99_ns) for _, one in pairs]
        below = [_distance(one.p99_ns, one.p99_lower_ns) for _, one in pairs]
        for name, colour, values in (
            ("P50", "@series4", [to_ms(one.p50_ns) for _, one in pairs]),
            ("P99", "@series2", p99),
        ):
            trace = {
                **_points(name + suffix, colour, own),
                "y": values,
                "yaxis": "y2",
                "hovertemplate": f"%{{x}} agents: {name} %{{y:.4g}} ms<extra></extra>",
            }
            if name == "P99":
                trace["error_y"] = {
                    "type": "data",
                    "symmetric": False,
                    "array": above,
                    "arrayminus": below,
                    "color": colour,
                }
            traces.append(trace)
    return traces


def _points(name: str, colour: str, stages: Sequence[StageFigures]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [stage.agents for stage in stages],
        "marker": {"color": colour, "size": 9},
    }


def _distance(high_ns: int | None, low_ns: int | None) -> float:
    """Length of a bar in ms; 0 where an end is not known."""
    return 0.0 if high_ns is None or low_ns is None else max(0.0, (high_ns - low_ns) / 1e6)


def _p99(stage: StageFigures) -> str:
    largest = max((one.p99_ns for one in stage.latency if one.p99_ns is not None), default=None)
    return format_duration_html(largest) if largest is not None else "unknown"


def _table(stages: Sequence[StageFigures]) -> Table:
    rows = [
        (
            format_count(stage.agents),
            format_number(stage.rate_asked),
            format_number(stage.rate_sent),
            "-" if stage.simulated_per_s is None else format_number(stage.simulated_per_s),
            _p99(stage),
        )
        for stage in stages
    ]
    return Table.of(
        "Throughput and latency by agents",
        ("agents", "asked/s", "sent/s", "SIMULATED/s", "largest P99 of a mode"),
        rows,
    )
