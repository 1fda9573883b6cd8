"""The page of an isolation experiment: the P99 of each pair of blocks, and the change."""

from __future__ import annotations

from harness.assessment.isolation_result import IsolationJudgement, IsolationOutcome
from harness.formatting import format_count
from harness.judge.verdict import Verdict
from harness.report.html.axes import limit_line, log_durations
from harness.report.html.components import Chart, MissingChart, Section, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.page import render_page
from harness.report.html.summary import Fact, Summary, sign_of

_TITLE = "Does the disturbance change the latency?"
_VERDICTS = {
    IsolationOutcome.ISOLATED: Verdict.PASS,
    IsolationOutcome.NOT_ISOLATED: Verdict.FAIL,
    IsolationOutcome.CANNOT_TELL: Verdict.INCONCLUSIVE,
}
_HEADS = ("pair", "block", "start", "signals", "P99", "lateness P99", "proof of the disturbance")


def isolation_page(judgement: IsolationJudgement, run_id: str) -> str:
    """One file that shows the experiment and needs no network."""
    return render_page(
        _summary(judgement, run_id), isolation_sections(judgement), subject="isolation experiment"
    )


def isolation_sections(judgement: IsolationJudgement) -> tuple[Section, ...]:
    """What the page of an experiment shows below its outcome."""
    return (_blocks(judgement),)


def _summary(judgement: IsolationJudgement, run_id: str) -> Summary:
    change = judgement.change
    facts = [
        Fact("P99 baseline", format_duration_html(judgement.baseline_p99_ns)),
        Fact("P99 treatment", format_duration_html(judgement.treatment_p99_ns)),
        Fact("margin", format_duration_html(judgement.margin_ns)),
    ]
    if change is not None:
        lower, upper = (format_duration_html(one) for one in (change.lower_ns, change.upper_ns))
        estimate = format_duration_html(change.estimate_ns)
        facts.append(Fact("change of the P99 (95 %)", f"{estimate} ({lower} to {upper})"))
    verdict = _VERDICTS[judgement.outcome]
    return Summary(
        run_id=run_id,
        scenario="isolation",
        about="blocks of load with and without a disturbance, in pairs",
        executed=judgement.outcome.value,
        verdict=verdict.value,
        sign=sign_of(verdict),
        headline="; ".join(judgement.because) or judgement.outcome.value,
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=tuple(facts),
        grade="indicative",
        grade_text="Indicative only: a run with a disturbance is no sign-off. The run itself is"
        " reported in report.html.",
        grade_reasons=(),
    )


def _blocks(judgement: IsolationJudgement) -> Section:
    rows = [
        (
            str(block.pair + 1),
            "treatment" if block.is_treatment else "baseline",
            f"{block.start_s:g} s",
            format_count(block.signals),
            format_duration_html(block.p99_ns),
            format_duration_html(block.lateness_p99_ns),
            block.force or ("missing" if block.is_treatment else ""),
        )
        for block in judgement.blocks
    ]
    table = Table.of("Blocks in order", _HEADS, rows, numbers=False)
    lead = "The order within a pair is random, so that a drift of the host is no effect."
    return Section("blocks", "Blocks", lead, (_chart(judgement), table))


def _chart(judgement: IsolationJudgement) -> Chart | MissingChart:
    values = [block.p99_ns for block in judgement.blocks if block.p99_ns]
    if not values:
        return MissingChart("blocks-chart", _TITLE, "no block has a percentile")
    traces = []
    for is_treatment, name, colour, symbol in (
        (False, "baseline", "@series1", "circle"),
        (True, "treatment", "@series2", "diamond"),
    ):
        own = [block for block in judgement.blocks if block.is_treatment is is_treatment]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [block.pair + 1 for block in own],
                "y": [to_ms(block.p99_ns) for block in own],
                "marker": {"size": 10, "color": colour, "symbol": symbol},
            }
        )
    return Chart(
        key="blocks-chart",
        title=_TITLE,
        shows="The P99 of each block, by pair; the red dashed line is the objective.",
        good="Good: both marks of each pair are close together.",
        message="; ".join(judgement.because) or judgement.outcome.value,
        traces=tuple(traces),
        layout={
            "xaxis": {"title": {"text": "pair"}, "dtick": 1},
            "yaxis": log_durations(
                min(values), max(*values, judgement.limit_ns), "P99 (logarithmic)"
            ),
            "shapes": [limit_line(judgement.limit_ns / 1e6)],
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(),
    )
