"""The page of rounds of random faults: recovery by fault, and every round."""

from __future__ import annotations

from harness.assessment.chaos import ChaosResult
from harness.formatting import format_count
from harness.judge.verdict import Verdict
from harness.report.html.axes import log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import escape_plotly, format_duration_html, to_ms
from harness.report.html.page import render_page
from harness.report.html.summary import Fact, Summary, sign_of

_TITLE = "How long does each fault last in its effects?"
_KIND_HEADS = (
    *("fault", "rounds", "not passed", "first signal: median", "worst", "backlog cleared: median"),
    *("worst", "lost", "duplicated", "refused"),
)
_ROUND_HEADS = (
    *("round", "fault", "verdict", "first signal", "backlog cleared", "lost", "duplicated"),
    *("refused", "reason", "run"),
)


def chaos_sections(result: ChaosResult) -> list[Section]:
    """What the page of all rounds shows below their verdict."""
    return [section for section in (_recovery(result), _rounds(result)) if section.parts]


def chaos_page(result: ChaosResult, folder_id: str) -> str:
    """One file that shows all rounds and needs no network."""
    return render_page(
        _summary(result, folder_id),
        chaos_sections(result),
        subject="chaos run",
    )


def _summary(result: ChaosResult, folder_id: str) -> Summary:
    passed = sum(one.verdict is Verdict.PASS for one in result.rounds)
    return Summary(
        run_id=folder_id,
        scenario="chaos",
        about="rounds of random faults under load, with every check after each",
        executed=f"{format_count(len(result.rounds))} of {format_count(result.planned)} rounds",
        verdict=result.verdict.value,
        sign=sign_of(result.verdict),
        headline=f"{passed} of {result.planned} rounds passed",
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=(
            Fact("lost", format_count(sum(one.lost for one in result.rounds))),
            Fact("duplicated", format_count(sum(one.duplicated for one in result.rounds))),
        ),
        grade="indicative",
        grade_text="Indicative only: a run with a fault is no sign-off.",
        grade_reasons=(),
    )


def _recovery(result: ChaosResult) -> Section:
    rows = [
        (
            kind.fault,
            format_count(kind.rounds),
            format_count(kind.unclean),
            format_duration_html(kind.first_median_ns),
            format_duration_html(kind.first_worst_ns),
            format_duration_html(kind.backlog_median_ns),
            format_duration_html(kind.backlog_worst_ns),
            *(format_count(number) for number in (kind.lost, kind.duplicated, kind.refused)),
        )
        for kind in result.kinds
    ]
    table = Table.of("Recovery by fault", _KIND_HEADS, rows)
    lead = "Until the first signal after the fault is SIMULATED, and until nothing is overdue."
    return Section("recovery", "Recovery", lead, (_chart(result), table) if rows else ())


def _chart(result: ChaosResult) -> Chart | MissingChart:
    rounds = [one for one in result.rounds if one.backlog_ns]
    if not rounds:
        return MissingChart("recovery-chart", _TITLE, "no round has a recovery time")
    times = [one.backlog_ns for one in rounds if one.backlog_ns]
    return Chart(
        key="recovery-chart",
        title=_TITLE,
        shows="The time until the backlog of each round was cleared, by fault.",
        good="Good: every point of a fault is close to the others.",
        message=f"Worst: {format_duration_html(max(times))}.",
        traces=(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "backlog cleared",
                "x": [to_ms(one.backlog_ns) for one in rounds],
                "y": [escape_plotly(one.fault) for one in rounds],
                "text": [f"round {one.number}" for one in rounds],
                "hovertemplate": "%{text}: %{x} ms<extra></extra>",
                "marker": {"size": 9, "color": "@series1"},
            },
        ),
        layout={
            "xaxis": log_durations(min(times), max(times), "time (logarithmic)"),
            "yaxis": {"automargin": True},
        },
        tables=(),
        height_px=140 + 30 * len({one.fault for one in rounds}),
    )


def _rounds(result: ChaosResult) -> Section:
    rows = [
        (
            str(one.number),
            one.fault,
            one.verdict.name,
            format_duration_html(one.first_ns),
            format_duration_html(one.backlog_ns),
            *(format_count(number) for number in (one.lost, one.duplicated, one.refused)),
            one.reasons[0] if one.reasons else "",
            one.run_id,
        )
        for one in result.rounds
    ]
    table = Table.of("Rounds in order", _ROUND_HEADS, rows, numbers=False)
    lead = "Each round has a page of its own in its folder."
    return Section("rounds", "Rounds", lead, (table,) if rows else ())
