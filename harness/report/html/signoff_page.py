"""The document of a sign-off: decision, criteria, every attempt, and what the evidence shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.assessment.assess import Assessment
from harness.assessment.capacity import CapacityResult
from harness.assessment.chaos import ChaosResult
from harness.assessment.group import GroupJudgement
from harness.assessment.isolation_result import IsolationJudgement
from harness.assessment.signoff import CriterionResult, Decision, SignoffResult
from harness.formatting import format_bytes, format_count
from harness.judge.check import CheckKind, Figure
from harness.judge.verdict import Verdict
from harness.language import ENGLISH, spoken
from harness.report.html.axes import log_durations
from harness.report.html.capacity_page import capacity_sections
from harness.report.html.chaos_page import chaos_sections
from harness.report.html.components import Chart, MissingChart, Part, Section, Table
from harness.report.html.formatting import format_duration_html, to_ms
from harness.report.html.group_page import group_sections
from harness.report.html.isolation_page import isolation_sections
from harness.report.html.page import render_page
from harness.report.html.percentiles import percentile_figure
from harness.report.html.summary import Fact, Summary, sign_of
from harness.report.signoff import (
    attempt_text,
    figures_text,
    grade_lines,
    headline,
    host_lines,
    image_lines,
    waiver_lines,
    why_lines,
    why_text,
    words,
)
from harness.scenario import Scenario

# What an attempt leaves to be drawn.
Exhibit = (
    tuple[Scenario, Assessment] | GroupJudgement | CapacityResult | ChaosResult | IsolationJudgement
)
_VERDICTS = {
    Decision.SIGNED_OFF: Verdict.PASS,
    Decision.NOT_SIGNED_OFF: Verdict.FAIL,
    Decision.INDICATIVE: Verdict.INCONCLUSIVE,
}
_TITLE = "How far is each criterion from its limit?"


@spoken(ENGLISH)
def signoff_page(result: SignoffResult, exhibits: Mapping[str, Exhibit]) -> str:
    """One file that shows the sign-off, on a screen and on paper, and needs no network.

    Args:
        result: of the sign-off.
        exhibits: of the attempt that answers, by the id of the criterion.
    """
    sections = [
        _criteria(result),
        _attempts(result),
        *(_exhibit(one, exhibits[one.id]) for one in result.criteria if one.id in exhibits),
        _system(result),
        _verification(result),
    ]
    return render_page(_summary(result), [one for one in sections if one.parts], subject="sign-off")


def _summary(result: SignoffResult) -> Summary:
    verdict = _VERDICTS[result.decision]
    lists = (
        ("Why", why_lines(result)),
        ("Waivers", waiver_lines(result)),
        ("Images", image_lines(result)),
        ("Hosts", host_lines(result)),
    )
    is_signed = result.decision is Decision.SIGNED_OFF
    grades = grade_lines(result)
    runs = sum(len(attempt.runs) for one in result.criteria for attempt in one.attempts)
    return Summary(
        run_id=result.signoff_id,
        scenario=result.policy,
        about=result.about,
        executed=headline(result),
        verdict=words(result.decision),
        sign=sign_of(verdict),
        headline="",
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=(
            Fact("began (UTC)", _utc(result.began)),
            Fact("stack", result.stack),
            Fact("runs", format_count(runs)),
            Fact("attempts", format_count(sum(len(one.attempts) for one in result.criteria))),
            Fact("harness", result.harness),
            *((Fact("defects switched on", ", ".join(result.defects)),) if result.defects else ()),
        ),
        grade="signoff" if is_signed else "indicative",
        grade_text="Every run qualifies for a sign-off."
        if not grades and is_signed
        else "What keeps the runs from a sign-off:"
        if grades
        else "No run keeps this from a sign-off; see the reasons above.",
        grade_reasons=grades,
        noun="Policy",
        style=verdict.value,
        lists=tuple((title, lines) for title, lines in lists if lines),
    )


def _criteria(result: SignoffResult) -> Section:
    rows = [
        (
            one.id,
            words(one.status),
            one.question,
            figures_text(one.deciding.figures if one.deciding else {}),
            why_text(one.reasons),
            attempt_text(one),
        )
        for one in result.criteria
    ]
    heads = ("criterion", "status", "question", "figures", "reason", "attempts")
    table = Table.of("Criteria in the order of the policy", heads, rows, numbers=False)
    lead = "Each question was fixed before anything ran; the first valid attempt answers it."
    return Section("criteria", "Criteria", lead, (table, _limits(result)))


def _limits(result: SignoffResult) -> Chart | MissingChart:
    """The latency of each criterion that has a limit, with its interval."""
    known = [
        (one.id, one.deciding.figures)
        for one in result.criteria
        if one.deciding is not None and _value(one.deciding.figures) and _limit(one)
    ]
    if not known:
        return MissingChart("limits-chart", _TITLE, "no criterion has a percentile with a limit")
    names = [name for name, _ in known]
    values = [_value(figures) for _, figures in known]
    lows = [_ns(figures, "lower_ns") or _value(figures) for _, figures in known]
    highs = [_ns(figures, "upper_ns") or _value(figures) for _, figures in known]
    limits = [_ns(figures, "limit_ns") for _, figures in known]
    return Chart(
        key="limits-chart",
        title=_TITLE,
        shows="The percentile of latency nearest to its limit in each criterion, with its"
        " interval; a red line is its limit.",
        good="Good: each interval ends left of its limit.",
        message="; ".join(
            f"{name}: {format_duration_html(value)} of {format_duration_html(limit)}"
            for name, value, limit in zip(names, values, limits, strict=True)
        ),
        traces=(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "measured",
                "x": [to_ms(value) for value in values],
                "y": names,
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [to_ms(max(0.0, h - v)) for h, v in zip(highs, values, strict=True)],
                    "arrayminus": [
                        to_ms(max(0.0, v - low)) for low, v in zip(lows, values, strict=True)
                    ],
                },
                "marker": {"size": 10, "color": "@series1"},
            },
            {
                "type": "scatter",
                "mode": "markers",
                "name": "limit",
                "x": [to_ms(limit) for limit in limits],
                "y": names,
                "marker": {"size": 16, "symbol": "line-ns-open", "color": "@limit"},
            },
        ),
        layout={
            "xaxis": log_durations(
                min([*values, *lows]), max([*highs, *limits]), "latency (logarithmic)"
            ),
            "yaxis": {"automargin": True, "autorange": "reversed"},
            "legend": {"orientation": "h", "y": -0.25},
        },
        tables=(),
        height_px=160 + 32 * len(known),
    )


def _limit(criterion: CriterionResult) -> float:
    return _ns(criterion.deciding.figures, "limit_ns") if criterion.deciding else 0.0


def _value(figures: Mapping[str, Figure]) -> float:
    return _ns(figures, "estimate_ns") or _ns(figures, "mean_ns")


def _ns(figures: Mapping[str, Figure], name: str) -> float:
    value = figures.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _attempts(result: SignoffResult) -> Section:
    rows = [
        (
            f"{one.id} {attempt.number}",
            _utc(attempt.began),
            _utc(attempt.ended) if attempt.ended else "-",
            attempt.outcome or "under way",
            attempt.verdict.name if attempt.verdict else "none",
            words(attempt.status),
            why_text(attempt.reasons),
            format_count(len(attempt.runs)),
        )
        for one in result.criteria
        for attempt in one.attempts
    ]
    heads = ("attempt", "began (UTC)", "ended", "outcome", "verdict", "status", "reason", "runs")
    table = Table("Attempts", heads, tuple(rows), numbers=False)
    lead = "Every attempt, also those that were INVALID, failed or were aborted."
    return Section("attempts", "Attempts", lead, (table,) if rows else ())


def _exhibit(criterion: CriterionResult, exhibit: Exhibit) -> Section:
    """What the evidence of a criterion shows; its charts get names of their own."""
    parts = tuple(
        replace(part, key=f"{criterion.id}-{part.key}")
        if isinstance(part, Chart | MissingChart)
        else part
        for part in _parts(exhibit)
    )
    number = criterion.deciding.number if criterion.deciding else 0
    lead = f"{criterion.question} Attempt {number} of kind {criterion.kind} answers."
    title = f"{criterion.id}: {words(criterion.status)}"
    return Section(f"criterion-{criterion.id}", title, lead, parts)


def _parts(exhibit: Exhibit) -> Sequence[Part]:
    if isinstance(exhibit, tuple):
        return _run_parts(*exhibit)
    sections: Sequence[Section]
    if isinstance(exhibit, GroupJudgement):
        sections = group_sections(exhibit)
    elif isinstance(exhibit, CapacityResult):
        sections = capacity_sections(exhibit)
    elif isinstance(exhibit, ChaosResult):
        sections = chaos_sections(exhibit)
    else:
        sections = isolation_sections(exhibit)
    return [part for section in sections for part in section.parts]


def _run_parts(scenario: Scenario, assessment: Assessment) -> Sequence[Part]:
    """The percentile curve of one run, its objectives, and what did not pass."""
    judgement = assessment.judgement
    rows = [
        (check.name, check.kind.value, check.status.value, check.message)
        for check in judgement.checks
        if check.kind is CheckKind.OBJECTIVE or not check.status.is_clean
    ]
    clean = sum(check.status.is_clean for check in judgement.checks)
    caption = f"Objectives, and checks that did not pass; {clean} of {len(judgement.checks)} passed"
    figure = percentile_figure(assessment.measurement, judgement, scenario.parsed_objectives())
    heads = ("check", "kind", "status", "message")
    return (figure, Table.of(caption, heads, rows, numbers=False))


def _system(result: SignoffResult) -> Section:
    lead = "Images by digest, commits, hosts and clocks, from the evidence of every run."
    return Section("system", "What ran, and where", lead, tuple(_system_tables(result)))


def _system_tables(result: SignoffResult) -> Iterator[Table]:
    if result.images:
        rows = [
            (one.service, one.image, one.image_id, ", ".join(one.repo_digests) or "-")
            for one in result.images
        ]
        yield Table.of("Images", ("service", "image", "id", "digests"), rows, numbers=False)
    if result.hosts:
        host_rows = [
            (
                str(one.runs),
                one.stack,
                _known(one.harness),
                f"{_known(one.commit)}{', modified' if one.modified else ''}",
                _known(one.kernel),
                _known(one.cpu_model),
                _known(one.cpus),
                "unknown" if one.memory_bytes is None else format_bytes(one.memory_bytes),
            )
            for one in result.hosts
        ]
        heads = ("runs", "stack", "harness", "commit", "kernel", "CPU", "CPUs", "memory")
        yield Table.of("Hosts and versions", heads, host_rows, numbers=False)
    if result.clocks:
        clock_rows = [
            (
                one.server,
                format_count(one.runs),
                format_duration_html(one.ahead_ns),
                format_duration_html(one.error_ns),
                format_count(one.steps),
            )
            for one in result.clocks
        ]
        clock_heads = ("clock", "runs", "largest offset", "largest error", "steps")
        yield Table.of("Clocks against the wall clock of the generator", clock_heads, clock_rows)


def _verification(result: SignoffResult) -> Section:
    rows = [
        ("policy.toml", result.policy_sha256),
        ("signoff-plan.json", result.plan_sha256),
        ("last line of journal.jsonl", result.journal_head),
        *((f"{name} of this version of the harness", d) for name, d in result.references.items()),
    ]
    return Section(
        "verification",
        "How to verify this document",
        "`harness signoff verify ARCHIVE` judges every attempt again from its evidence, offline,"
        " and makes this page again. VERIFY.md has the details.",
        (Table("SHA-256", ("file", "digest"), tuple(rows), numbers=False),),
    )


def _utc(text: str) -> str:
    """`2026-11-30T22:56:32Z` as `2026-11-30 22:56:32`."""
    return text.replace("T", " ").removesuffix("Z")


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)
