"""The page of several runs of one scenario: each run's percentiles, and the checks of the group."""

from __future__ import annotations

import math

from harness.assessment.group import GroupJudgement
from harness.formatting import format_count
from harness.judge.check import Check
from harness.report.group import group_headline
from harness.report.html.axes import limit_label, limit_line, log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import escape_plotly, format_duration_html, to_ms
from harness.report.html.page import render_page
from harness.report.html.palette import SERIES
from harness.report.html.summary import GRADE_TEXTS, Fact, Summary, sign_of

_TITLE = "How much do runs differ?"
_SYMBOLS = ("circle", "diamond", "square", "x", "triangle-up", "star")


def group_sections(judgement: GroupJudgement) -> tuple[Section, ...]:
    """What the page of a group shows below its verdict."""
    return _runs(judgement), _checks(judgement)


def group_page(judgement: GroupJudgement, group_id: str) -> str:
    """One file that shows the group and needs no network."""
    return render_page(
        _summary(judgement, group_id),
        group_sections(judgement),
        subject="group of runs",
    )


def _summary(judgement: GroupJudgement, group_id: str) -> Summary:
    grade = judgement.grade
    return Summary(
        run_id=group_id,
        scenario="group",
        about="the same scenario several times, each time with another seed",
        executed=format_count(len(judgement.runs), "run"),
        verdict=judgement.verdict.value,
        sign=sign_of(judgement.verdict),
        headline=group_headline(judgement),
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=(Fact("runs", format_count(len(judgement.runs))),),
        grade=grade.level,
        grade_text=GRADE_TEXTS[grade.level],
        grade_reasons=grade.reasons,
    )


def _ids(judgement: GroupJudgement) -> tuple[str, ...]:
    return tuple(dict.fromkeys(own for run in judgement.runs for own in run.estimates_ns))


def _runs(judgement: GroupJudgement) -> Section:
    ids = _ids(judgement)
    names = {check.id: check.name for check in judgement.checks}
    rows = [
        (
            run.run_id,
            str(run.seed),
            run.verdict.name,
            *(format_duration_html(run.estimates_ns.get(own)) for own in ids),
        )
        for run in judgement.runs
    ]
    heads = ("run", "seed", "verdict", *(names.get(own, own) for own in ids))
    parts = (_chart(judgement), Table.of("Runs in order", heads, rows, numbers=False))
    return Section("runs", "Runs", "Each run has a page of its own in its folder.", parts)


def _chart(judgement: GroupJudgement) -> Chart | MissingChart:
    checks = {check.id: check for check in judgement.checks}
    ids = _ids(judgement)[: len(SERIES)]
    values = [run.estimates_ns[own] for run in judgement.runs for own in ids
              if run.estimates_ns.get(own, 0) > 0]  # fmt: skip
    if not values:
        return MissingChart("runs-chart", _TITLE, "no run has a percentile")
    limits = [limit for own in ids if (limit := _limit_ns(checks.get(own))) is not None]
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": escape_plotly(checks[own].name if own in checks else own),
            "x": list(range(1, len(judgement.runs) + 1)),
            "y": [to_ms(run.estimates_ns.get(own)) for run in judgement.runs],
            "marker": {"size": 10, "color": SERIES[number], "symbol": _SYMBOLS[number]},
        }
        for number, own in enumerate(ids)
    ]
    return Chart(
        key="runs-chart",
        title=_TITLE,
        shows="The percentile of each objective in each run; a red dashed line is a limit.",
        good="Good: all points are close together, and below the line.",
        message=group_headline(judgement),
        traces=tuple(traces),
        layout={
            "xaxis": {"title": {"text": "run"}, "dtick": 1},
            "yaxis": log_durations(
                min([*values, *limits]), max([*values, *limits]), "latency (logarithmic)"
            ),
            "shapes": [limit_line(limit / 1e6) for limit in limits],
            "annotations": [
                limit_label(math.log10(limit / 1e6), f"limit {format_duration_html(limit)}")
                for limit in limits
            ],
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(),
    )


def _limit_ns(check: Check | None) -> float | None:
    value = check.figures.get("limit_ns") if check else None
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def _checks(judgement: GroupJudgement) -> Section:
    rows = [
        (check.name, check.kind.value, check.status.value, check.message)
        for check in judgement.checks
    ]
    table = Table.of("Checks", ("check", "kind", "status", "message"), rows, numbers=False)
    lead = "Percentiles over all runs, the group itself, and what was unclean in single runs."
    return Section("checks", "Checks of the group", lead, (table,) if rows else ())
