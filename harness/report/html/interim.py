"""The interval of a percentile at each interim analysis of a run of variable length."""

from __future__ import annotations

from typing import Any

from harness.analysis.histogram import LIMIT_NS
from harness.formatting import format_count
from harness.judge.interim_analysis import InterimAnalysis, InterimEstimate
from harness.judge.judgement import Judgement
from harness.report.html.axes import log_durations
from harness.report.html.components import Chart, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.palette import SERIES
from harness.scenario import Objective

KEY = "interim"
TITLE = "When was the verdict decided?"


def interim_figure(judgement: Judgement, objectives: tuple[Objective, ...]) -> Chart | None:
    """The interval against the measured time; None for a run of fixed length."""
    rows = [
        (analysis, finding)
        for analysis in judgement.analyses
        for finding in analysis.findings
        if finding.unit == "ns"
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(finding.objective for _, finding in rows))
    limits = {one.text: one.limit_ns for one in objectives if one.limit_ns}
    values = [value for _, one in rows for value in (one.estimate, one.lower, one.upper) if value]
    inside = [value for value in [*values, *limits.values()] if value < LIMIT_NS]
    last = rows[-1][0]
    return Chart(
        key=KEY,
        title=TITLE,
        shows="The percentile of an objective and its interval at each planned analysis. All"
        " analyses together err in at most 5 % of runs. An open triangle has no upper bound.",
        good="Good: the whole interval is below the limit at the first analysis.",
        message=f"The load ended after {last.measured_s:g} s measured,"
        f" at analysis {last.number}: {last.verdict.name}.",
        traces=tuple(_trace(name, number, rows) for number, name in enumerate(names)),
        layout={
            "xaxis": {"title": {"text": "measured time (s)"}, "rangemode": "tozero"},
            "yaxis": log_durations(min(inside), max(inside), "latency (logarithmic)"),
            "shapes": [
                {
                    "type": "line",
                    "xref": "paper",
                    "x0": 0,
                    "x1": 1,
                    "y0": to_ms(limit_ns),
                    "y1": to_ms(limit_ns),
                    "line": {"color": "@limit", "width": 1.5},
                }
                for limit_ns in set(limits.values())
            ],
        },
        tables=(_table(judgement.analyses),),
    )


def _trace(
    name: str, number: int, rows: list[tuple[InterimAnalysis, InterimEstimate]]
) -> dict[str, Any]:
    own = [(analysis, finding) for analysis, finding in rows if finding.objective == name]
    color = SERIES[number % len(SERIES)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [analysis.measured_s for analysis, _ in own],
        "y": [to_ms(finding.estimate) for _, finding in own],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [to_ms((one.upper or one.estimate) - one.estimate) for _, one in own],
            "arrayminus": [to_ms(one.estimate - (one.lower or one.estimate)) for _, one in own],
            "color": color,
        },
        "marker": {
            "color": color,
            "size": [9 if one.upper else 13 for _, one in own],
            "symbol": ["circle" if one.upper else "triangle-up-open" for _, one in own],
        },
        "hovertemplate": "%{x:g} s<extra>" + name + "</extra>",
    }


def _table(analyses: tuple[InterimAnalysis, ...]) -> Table:
    rows = tuple(
        (
            f"{analysis.measured_s:g} s",
            one.objective,
            *(_text(one, value) for value in (one.estimate, one.lower, one.upper)),
            format_count(one.effective),
            one.verdict.name,
        )
        for analysis in analyses
        for one in analysis.findings
    )
    heads = ("measured", "objective", "estimate", "from", "to", "effective sample size", "decision")
    return Table.of("Interim analyses", heads, rows)


def _text(finding: InterimEstimate, value: float | None) -> str:
    if value is None:
        return "no bound"
    return format_duration_html(value) if finding.unit == "ns" else f"{100 * value:.3g} %"
