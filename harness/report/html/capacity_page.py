"""The page of a search of the capacity: load and latency, use of the services, trials, cause."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from harness.analysis.capacity.trials import Answer
from harness.assessment.capacity import CapacityResult, TrialFigures
from harness.formatting import (
    format_bytes,
    format_count,
    format_number,
    format_percent,
    format_share_fixed,
)
from harness.report.capacity import (
    PURPOSES,
    bound_rows,
    format_interval,
    format_level,
    headline,
    reason_text,
    seconds_text,
)
from harness.report.html.axes import limit_label, limit_line, log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import escape_plotly, format_duration_html, to_ms
from harness.report.html.page import render_page
from harness.report.html.palette import DASHES, SERIES
from harness.report.html.summary import Fact, Summary, sign_of
from harness.scenario.capacity_axis import CapacityAxis

_AXIS_TITLES = {
    CapacityAxis.RATE: "signals/s of all agents together",
    CapacityAxis.AGENTS: "agents",
    CapacityAxis.HOT_SHARE: "share of signals on the hot address",
    CapacityAxis.FULL_SHARE: "share of signals simulated in full",
}
_COLOURS = {
    Answer.MET: "@pass",
    Answer.BROKEN: "@fail",
    Answer.UNDECIDED: "@inconclusive",
    Answer.INVALID: "@invalid",
}
_SYMBOLS = {
    Answer.MET: "circle",
    Answer.BROKEN: "x",
    Answer.UNDECIDED: "diamond",
    Answer.INVALID: "circle-open",
}
_SERVICES_MAX = len(SERIES)


def capacity_page(result: CapacityResult) -> str:
    """One file that shows the search and needs no network."""
    cause = result.bottleneck.message if result.bottleneck else None
    if not _cause(result).parts:  # where the page has no evidence of it
        cause = None
    return render_page(
        _summary(result),
        capacity_sections(result),
        subject="search of the capacity",
        cause=cause,
    )


def capacity_sections(result: CapacityResult) -> list[Section]:
    """What the page of a search shows below its verdict."""
    sections = (_latency(result), _use(result), _trials(result), _cause(result))
    return [section for section in sections if section.parts]


def _summary(result: CapacityResult) -> Summary:
    return Summary(
        run_id=result.search_id,
        scenario=result.scenario,
        about=f"{', '.join(result.objectives)}; {reason_text(result)}",
        executed=f"capacity by {result.axis}, {result.stack} stack",
        verdict=result.verdict.value,
        sign=sign_of(result.verdict),
        headline=headline(result),
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=(
            *(Fact(name, value) for name, value in bound_rows(result)),
            Fact("trials", format_count(len(result.trials))),
            Fact("took", f"{result.elapsed_s / 60:.1f} min"),
        ),
        grade=result.grade.level,
        grade_text="The confirmations qualify for a sign-off."
        if result.grade.level == "signoff"
        else "Indicative only. The confirmations do not qualify for a sign-off:",
        grade_reasons=result.grade.reasons,
    )


def _latency(result: CapacityResult) -> Section:
    return Section(
        "curve",
        "Load and latency",
        "The objective nearest to its limit at each level, with its interval.",
        (_curve(result),),
    )


def _curve(result: CapacityResult) -> Chart | MissingChart:
    title = "At which load does latency reach the limit?"
    known = [one for one in result.levels if one.deciding is not None]
    if not known:
        return MissingChart("curve-chart", title, "no trial has enough signals for a percentile")
    limits_ns = {one.deciding.limit_ns for one in known if one.deciding}
    values = [ns for one in known for ns in _bounds_ns(one) if ns]
    axis = log_durations(
        min(*values, *limits_ns), max(*values, *limits_ns), "latency (logarithmic)"
    )
    limit_ns = min(limits_ns)
    limit_ms = limit_ns / 1e6
    return Chart(
        key="curve-chart",
        title=title,
        shows="The percentile of latency at each level with its interval, and P50; the red dashed"
        " line is the limit. A cross is a level that broke.",
        good="Good: the curve is flat, and bends close to the capacity only.",
        message=headline(result),
        traces=(
            _p50_trace(known),
            *(trace for answer in Answer if (trace := _level_trace(known, answer))),
        ),
        layout={
            "xaxis": _level_axis(result, known),
            "yaxis": axis,
            "shapes": [limit_line(limit_ms)],
            "annotations": [
                limit_label(math.log10(limit_ms), f"limit {format_duration_html(limit_ns)}")
            ],
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(_curve_table(result),),
        height_px=400,
    )


def _bounds_ns(trial: TrialFigures) -> tuple[float | None, ...]:
    found = trial.deciding
    bounds = (found.lower_ns, found.estimate_ns, found.upper_ns) if found else ()
    return (*bounds, trial.p50_ns)


def _level_axis(result: CapacityResult, trials: Sequence[TrialFigures]) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": _AXIS_TITLES[result.axis]}, "type": "linear"}
    if result.axis.is_share:
        return axis | {"tickformat": ".0%", "range": [-0.02, 1.02]}
    return axis | {"range": [0, 1.08 * max(one.level for one in trials)]}


def _p50_trace(trials: Sequence[TrialFigures]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "P50",
        "x": [one.level for one in trials],
        "y": [to_ms(one.p50_ns) for one in trials],
        "line": {"color": "@series5", "width": 1.5, "dash": "dot"},
        "marker": {"size": 5, "color": "@series5"},
    }


def _level_trace(trials: Sequence[TrialFigures], answer: Answer) -> dict[str, Any] | None:
    own = [one for one in trials if one.answer is answer and one.deciding]
    if not own:
        return None
    found = [one.deciding for one in own if one.deciding]
    estimates = [one.estimate_ns or 0.0 for one in found]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": answer.value,
        "x": [one.level for one in own],
        "y": [to_ms(ns) for ns in estimates],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [
                to_ms(max(0.0, (one.upper_ns or ns) - ns))
                for one, ns in zip(found, estimates, strict=True)
            ],
            "arrayminus": [
                to_ms(max(0.0, ns - (one.lower_ns or ns)))
                for one, ns in zip(found, estimates, strict=True)
            ],
            "thickness": 1.5,
        },
        "marker": {"size": 10, "symbol": _SYMBOLS[answer], "color": _COLOURS[answer]},
        "text": [escape_plotly(format_interval(one)) for one in found],
        "hovertemplate": "%{x}: %{text}<extra></extra>",
    }


def _curve_table(result: CapacityResult) -> Table:
    rows = [
        (
            format_level(one.level, result.axis),
            one.answer.value,
            format_duration_html(one.p50_ns),
            format_interval(one.deciding),
            "-" if one.backlog_growth is None else f"{one.backlog_growth:+.3g}/s",
            "-" if one.backlog_max is None else format_count(one.backlog_max),
            format_duration_html(one.lateness_p99_ns),
        )
        for one in result.levels
    ]
    heads = (
        "level",
        "answer",
        "P50",
        "objective",
        "backlog grew",
        "most in flight",
        "lateness P99",
    )
    return Table.of("Load and latency", heads, rows)


def _use(result: CapacityResult) -> Section:
    names = list(dict.fromkeys(use.name for one in result.levels for use in one.services))
    return Section(
        "use",
        "Use of the services",
        "What each service used at each level, against its quota.",
        (_use_chart(result, names), _use_table(result, names)) if names else (),
    )


def _use_chart(result: CapacityResult, names: Sequence[str]) -> Chart:
    with_quota = [name for name in names if _shares(result.levels, name)]
    drawn = with_quota[:_SERVICES_MAX]
    return Chart(
        key="use-chart",
        title="Which service reaches its quota first?",
        shows="Mean CPU of each service as a share of its quota, and of the host's cores.",
        good="Good: all below 80 % at the operating load.",
        message=result.bottleneck.message if result.bottleneck else "No level broke.",
        traces=tuple(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": [level for level, _ in _shares(result.levels, name)],
                "y": [share for _, share in _shares(result.levels, name)],
                "line": {"color": SERIES[number], "dash": DASHES[number]},
            }
            for number, name in enumerate(drawn)
        ),
        layout={
            "xaxis": _level_axis(result, result.levels),
            "yaxis": {
                "title": {"text": "CPU, share of the quota"},
                "tickformat": ".0%",
                "rangemode": "tozero",
            },
            "shapes": [limit_line(1.0)],
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(),
    )


def _shares(trials: Sequence[TrialFigures], name: str) -> list[tuple[float, float]]:
    return [
        (one.level, round(share, 4))
        for one in trials
        for use in one.services
        if use.name == name and (share := use.cpu_share) is not None
    ]


def _use_table(result: CapacityResult, names: Sequence[str]) -> Table:
    rows = []
    for one in result.levels:
        by_name = {use.name: use for use in one.services}
        cells = []
        for name in names:
            use = by_name.get(name)
            if use is None or use.cpu_cores is None:
                cells.append("-")
                continue
            share = "" if use.cpu_share is None else f" ({format_percent(use.cpu_share)})"
            memory = "" if use.memory_bytes is None else f", {format_bytes(use.memory_bytes)}"
            cells.append(f"{use.cpu_cores:.2f}{share}{memory}")
        rows.append((format_level(one.level, result.axis), *cells))
    return Table.of("CPU in cores (share of the quota), memory", ("level", *names), rows)


def _trials(result: CapacityResult) -> Section:
    rows = [
        (
            str(one.number),
            format_level(one.level, result.axis),
            PURPOSES[one.purpose],
            one.answer.value,
            one.verdict.name,
            seconds_text(one.measured_s),
            seconds_text(one.elapsed_s),
            _notes(one),
            one.run_id,
        )
        for one in result.trials
    ]
    heads = (
        *("trial", "level", "purpose", "answer", "verdict", "measured", "took", "why"),
        "run",
    )
    return Section(
        "trials",
        "Trials in order",
        "Every trial of the search, those that were INVALID or undecided too.",
        (_order_chart(result), Table.of("Trials", heads, rows, numbers=False)) if rows else (),
    )


def _notes(trial: TrialFigures) -> str:
    notes = list(trial.reasons[:2]) if trial.answer is not Answer.MET else []
    if trial.is_backlog_stable is False:
        notes.insert(0, f"the backlog grew by {format_number(trial.backlog_growth or 0.0)}/s")
    if trial.renewed_because:
        notes.append(f"the stack was started again before it: {trial.renewed_because}")
    return "; ".join(notes)


def _order_chart(result: CapacityResult) -> Chart:
    traces = []
    for answer in Answer:
        own = [one for one in result.trials if one.answer is answer]
        if own:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": answer.value,
                    "x": [one.number for one in own],
                    "y": [one.level for one in own],
                    "marker": {"size": 10, "symbol": _SYMBOLS[answer], "color": _COLOURS[answer]},
                    "text": [PURPOSES[one.purpose] for one in own],
                    "hovertemplate": "%{x}: %{y}, %{text}<extra></extra>",
                }
            )
    return Chart(
        key="order-chart",
        title="How did the search proceed?",
        shows="The level of each trial in order, by its answer.",
        good="Good: the levels close in on one value, and no answer contradicts another one.",
        message=reason_text(result),
        traces=tuple(traces),
        layout={
            "xaxis": {"title": {"text": "trial"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": _AXIS_TITLES[result.axis]}, "rangemode": "tozero"},
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(),
    )


def _cause(result: CapacityResult) -> Section:
    found = result.bottleneck
    lead = "Why the lowest level that breaks does so, in the order of the specification."
    rows: list[tuple[str, ...]] = []
    if found is not None and found.diagnosis is not None:
        rows = [
            (one.asks, one.answer.value, one.message, one.advice)
            for one in found.diagnosis.questions
        ]
    if found is None or not rows:
        return Section("diagnosis", "Diagnosis", lead)
    caption = f"{format_level(found.level, result.axis)}, run {found.run_id}"
    table = Table.of(caption, ("question", "answer", "figures", "advice"), rows, numbers=False)
    return Section("diagnosis", "Diagnosis", lead, (table, *_use_of(result, found.level)))


def _use_of(result: CapacityResult, level: float) -> Iterator[Table]:
    trial = next((one for one in result.levels if one.level == level), None)
    if trial is None or not trial.services:
        return
    rows = [
        (
            use.name,
            "-" if use.cpu_cores is None else f"{use.cpu_cores:.2f}",
            "-" if use.cpu_limit_cores is None else f"{use.cpu_limit_cores:g}",
            "-" if use.cpu_share is None else format_share_fixed(use.cpu_share),
            "-" if use.memory_bytes is None else format_bytes(use.memory_bytes),
            "-" if use.memory_limit_bytes is None else format_bytes(use.memory_limit_bytes),
        )
        for use in trial.services
    ]
    heads = ("service", "CPU cores", "quota", "share", "memory", "limit")
    yield Table.of("Use against the quota at this level", heads, rows)
