"""The percentile curve: latency at each percentile (as in HdrHistogram's plots).

The x axis is 1 / (1 - p) on a logarithmic scale, so that each step to the right is a tenth of the
signals of the step before: P90, P99, P99.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from harness.analysis.histogram import Histogram
from harness.analysis.histogram_encoding import decode
from harness.analysis.measurement import Durations, MetricFigures
from harness.analysis.statistics import size_needed
from harness.formatting import format_count
from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.report.data import ReportData
from harness.report.html.axes import log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.interim import interim_figure
from harness.report.html.palette import DASHES, SERIES
from harness.report.html.run_timeline import RunTimeline
from harness.scenario import Objective

KEY = "percentiles"
TITLE = "How slow are the slowest signals?"
POINTS = 240
Checks = dict[tuple[str, str], Check]  # by text of the objective, and mode
_TABLE_PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 99.999)
_TICKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999)


def latency_section(data: ReportData, _: RunTimeline) -> Section:
    """Latency by percentile, and the interim analyses."""
    objectives = data.scenario.parsed_objectives()
    interim = interim_figure(data.judgement, objectives)
    return Section(
        "latency",
        "Latency",
        "From the due time of a signal until its FSM row was observed SIMULATED: the objective.",
        (
            percentile_figure(data.measurement, data.judgement, objectives),
            *(() if interim is None else (interim,)),
        ),
    )


def histogram_of(figures: MetricFigures) -> Histogram:
    """The stored histogram of a metric, with the values outside of its range."""
    return decode(
        figures.histogram,
        negative=figures.negative,
        overflow=figures.overflow,
        sum_ns=figures.sum_ns,
        min_ns=figures.min_ns,
        max_ns=figures.max_ns,
    )


def percentile_figure(
    measurement: Durations, judgement: Judgement, objectives: Sequence[Objective]
) -> Chart | MissingChart:
    """Latency of the measured phase, one curve for each mode, with the objectives."""
    shown = [f for f in measurement.figures if (f.phase, f.metric) == ("measure", "latency")]
    curves = [(f.mode, histogram_of(f)) for f in shown if f.count]
    if not curves:
        return MissingChart(KEY, TITLE, "no signal of the measured phase has a latency")
    limited = [
        one
        for one in objectives
        if one.is_latency_percentile and one.window_ns is None and not one.outside_faults
    ]
    checks = {(c.objective, c.mode): c for c in judgement.of(CheckKind.OBJECTIVE)}
    traces: list[dict[str, Any]] = []
    for number, (mode, histogram) in enumerate(curves):
        traces += _curve(mode, histogram, number)
    for mode, _ in curves:
        traces += [t for one in limited if (t := _interval(one, mode, checks, curves))]
    traces += [_limit(one) for one in limited]
    most = max(histogram.count for _, histogram in curves)
    limits = [one.limit_ns for one in limited if one.limit_ns]
    return Chart(
        key=KEY,
        title=TITLE,
        shows="Latency from the due time of a signal until it was observed SIMULATED, at each"
        " percentile; every step to the right shows the slowest tenth of the step before."
        " Signals that never became SIMULATED count with the time that they had.",
        good="Good: the curve and its whole interval stay below each limit (red diamond), and the"
        " curve rises slowly. An open triangle has no upper bound. A step is a second way in which"
        " signals are processed: a queue, a lock, a pause.",
        message=_message(curves, limited, checks),
        traces=tuple(traces),
        layout={
            "xaxis": _percentile_axis(most),
            "yaxis": log_durations(
                min(max(h.min_ns, 1) for _, h in curves),
                max([h.max_ns for _, h in curves] + limits),
                "latency (logarithmic)",
            ),
            "hovermode": "closest",
        },
        tables=(_table(curves),),
        height_px=400,
    )


def compared_figure(runs: Mapping[str, Durations]) -> Chart | MissingChart:
    """Latency of the measured phase of several runs in one plot.

    Args:
        runs: by the name that the plot shows.
    """
    curves = [
        (f"{name} {figures.mode}", histogram_of(figures))
        for name, measurement in runs.items()
        for figures in measurement.figures
        if (figures.phase, figures.metric) == ("measure", "latency") and figures.count
    ]
    if not curves:
        return MissingChart(KEY, TITLE, "no signal of the measured phase has a latency")
    traces = [
        trace
        for number, (name, histogram) in enumerate(curves)
        for trace in _curve(name, histogram, number)
    ]
    least_ns = min(max(h.min_ns, 1) for _, h in curves)
    return Chart(
        key=KEY,
        title="Which run has the slower signals?",
        shows="Latency at each percentile; every step to the right shows the slowest tenth of the"
        " step before. Dotted: too few signals for such a percentile.",
        good="Good: the curves lie on each other, or that of NEW is below.",
        message=_message(curves, [], {}),
        traces=tuple(traces),
        layout={
            "xaxis": _percentile_axis(max(h.count for _, h in curves)),
            "yaxis": log_durations(
                least_ns, max(h.max_ns for _, h in curves), "latency (logarithmic)"
            ),
            "hovermode": "closest",
        },
        tables=(_table(curves),),
        height_px=400,
    )


def _percentile_axis(count: int) -> dict[str, Any]:
    ticks = [p for p in _TICKS if 1 / (1 - p / 100) <= 1.5 * count]
    return {
        "type": "log",
        "title": {"text": "percentile of signals (1 / (1 - p), logarithmic)"},
        "range": [-0.03, float(np.log10(max(count, 10))) * 1.04],
        "tickvals": [1 / (1 - p / 100) for p in ticks],
        "ticktext": [f"P{p:g}" if p else "all" for p in ticks],
    }


def _curve(mode: str, histogram: Histogram, number: int) -> list[dict[str, Any]]:
    """Solid as far as there are enough signals for the percentiles, dotted beyond."""
    x, y = curve_points(histogram, POINTS)
    texts = [_percentile_text(value) for value in x]
    known = sum(histogram.count >= size_needed(_percentile(value)) for value in x[:-1])
    style = {"color": SERIES[number % len(SERIES)], "width": 2.5}
    hover = "%{customdata[0]}: %{customdata[1]}<extra>" + mode + "</extra>"
    data = [[text, format_duration_html(value * 1e6)] for text, value in zip(texts, y, strict=True)]
    common: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "hovertemplate": hover,
        "legendgroup": mode,
    }
    solid = {
        **common,
        "name": f"latency, {mode}",
        "x": x[:known],
        "y": y[:known],
        "customdata": data[:known],
        "line": {**style, "dash": DASHES[number] if number else "solid"},
    }
    first = max(0, known - 1)
    dotted = {
        **common,
        "name": "too few signals",
        "x": x[first:],
        "y": y[first:],
        "customdata": data[first:],
        "line": {**style, "width": 1.5, "dash": "dot"},
        "showlegend": number == 0,
    }
    return [trace for trace in (solid, dotted) if trace["x"]]


def curve_points(histogram: Histogram, points: int) -> tuple[list[float], list[float]]:
    """1 / (1 - p) at equal distances of its logarithm, and the latency there in ms.

    The last point is the maximum, at the count of signals.
    """
    count = histogram.count
    x = np.unique(np.append(np.geomspace(1, max(count, 2), points), float(max(count, 2))))
    ranks = np.minimum(count, np.maximum(1, np.ceil(count * (1 - 1 / x) - 1e-9))).astype(int)
    ranks[-1] = count
    values = {rank: histogram.value_at_rank(rank) or 0 for rank in set(ranks.tolist())}
    y = [to_ms(max(1_000, values[rank])) or 0.0 for rank in ranks.tolist()]
    return [float(f"{value:.6g}") for value in x.tolist()], y


def _percentile(x: float) -> float:
    """The percentile at a position of the x axis, as a decimal number."""
    return min(99.999999, max(0.000001, float(f"{100 - 100 / x:.7g}")))


def _percentile_text(x: float) -> str:
    share = 1 - 1 / x
    digits = max(1, min(6, 1 - int(np.floor(np.log10(max(1e-9, 1 - share)))))) - 1
    return f"P{100 * share:.{digits}f}"


def _interval(
    one: Objective,
    mode: str,
    checks: Checks,
    curves: list[tuple[str, Histogram]],
) -> dict[str, Any] | None:
    """The interval of an objective's percentile, as a bar."""
    check = _check_of(one, mode, checks)
    if check is None or one.percentile is None or one.percentile >= 100 or one.stage is not None:
        return None
    lower, upper = check.figures.get("lower_ns"), check.figures.get("upper_ns")
    histogram = dict(curves)[mode]
    value = histogram.percentile_ns(one.percentile)
    if value is None or not isinstance(lower, int):
        return None
    open_end = not isinstance(upper, int)
    # A whisker to the maximum would look like a bound; a triangle shows that there is none.
    high = upper if isinstance(upper, int) else value
    text = f"{format_duration_html(lower)} to " + (
        "no upper bound" if open_end else format_duration_html(high)
    )
    name = f"P{one.percentile:g} with interval{', no upper bound' if open_end else ''}, {mode}"
    number = [name for name, _ in curves].index(mode)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [_position(one.percentile)],
        "y": [to_ms(value)],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [to_ms(max(0, high - value))],
            "arrayminus": [to_ms(max(0, value - lower))],
            "thickness": 2,
            "width": 0 if open_end else 7,
            "color": SERIES[number % len(SERIES)],
        },
        "marker": {
            "color": SERIES[number % len(SERIES)],
            "size": 13 if open_end else 9,
            "symbol": "triangle-up-open" if open_end else "circle",
        },
        "hovertemplate": f"P{one.percentile:g} {format_duration_html(value)}<br>interval {text}"
        f"<extra>{mode}</extra>",
    }


def _position(percentile: float) -> float:
    return float(1 / (1 - Fraction(str(percentile)) / 100))


def _check_of(one: Objective, mode: str, checks: Checks) -> Check | None:
    if one.mode not in (None, mode):
        return None
    return checks.get((one.text, one.mode or "")) or checks.get((one.text, mode))


def _limit(one: Objective) -> dict[str, Any]:
    """An objective as a diamond; a maximum is at the right end."""
    position = _position(min(one.percentile or 50.0, 99.9999))
    text = one.text
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": f"limit: {text}",
        "x": [position],
        "y": [to_ms(one.limit_ns)],
        "text": [text],
        "textposition": "top center",
        "textfont": {"color": "@limit"},
        "marker": {"color": "@limit", "size": 11, "symbol": "diamond"},
        "hovertemplate": f"{text}<extra>limit</extra>",
        "cliponaxis": False,
    }


def _message(curves: list[tuple[str, Histogram]], limited: list[Objective], checks: Checks) -> str:
    parts = []
    for mode, histogram in curves:
        median = format_duration_html(histogram.percentile_ns(50))
        parts.append(
            f"Of {format_count(histogram.count)} {mode} signals half took at most {median},"
            f" 99 in 100 at most {format_duration_html(histogram.percentile_ns(99))},"
            f" the slowest {format_duration_html(histogram.max_ns)}."
        )
    for one in limited:
        for mode, _ in curves:
            if check := _check_of(one, mode, checks):
                parts.append(f"{check.name}: {check.status.value}.")
    return " ".join(parts)


def _table(curves: list[tuple[str, Histogram]]) -> Table:
    rows = [
        (f"P{p:g}", *(format_duration_html(h.percentile_ns(p)) for _, h in curves))
        for p in _TABLE_PERCENTILES
        if any(h.count >= size_needed(p) for _, h in curves)
    ]
    rows += [
        ("max", *(format_duration_html(h.max_ns) for _, h in curves)),
        ("mean", *(format_duration_html(h.mean_ns) for _, h in curves)),
        ("signals", *(format_count(h.count) for _, h in curves)),
    ]
    heads = ("percentile", *(f"latency, {mode}" for mode, _ in curves))
    return Table.of("Latency by percentile", heads, rows)
