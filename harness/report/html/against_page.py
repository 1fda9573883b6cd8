"""Two runs on one page: both percentile curves, both verdicts, and what a comparison needs."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.comparison import ComparisonVerdict
from harness.assessment.comparison_result import ComparisonResult
from harness.judge.check import CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict
from harness.report import compare
from harness.report.data import ReportData
from harness.report.html.components import Section, Table
from harness.report.html.formatting import format_duration_html
from harness.report.html.page import render_page
from harness.report.html.percentiles import compared_figure
from harness.report.html.summary import Fact, Summary, sign_of

_VERDICTS = {
    ComparisonVerdict.SLOWER: Verdict.FAIL,
    ComparisonVerdict.FASTER: Verdict.PASS,
    ComparisonVerdict.SAME: Verdict.PASS,
    ComparisonVerdict.CANNOT_TELL: Verdict.INCONCLUSIVE,
    ComparisonVerdict.INVALID: Verdict.INVALID,
}
_HEADS = ("objective", "BASE", "NEW")


def against_page(base: ReportData, new: ReportData, result: ComparisonResult) -> str:
    """One file that shows two runs and needs no network.

    Args:
        base: the run that is compared with.
        new: the run that is reported.
        result: the comparison of both; it has no verdict without enough runs of each.
    """
    top = _summary(base, new, result)
    return render_page(top, tuple(_sections(base, new, result)), subject="comparison of two runs")


def _summary(base: ReportData, new: ReportData, result: ComparisonResult) -> Summary:
    like = _VERDICTS[result.verdict]
    notes = tuple(compare.notes(result))
    if result.runs_more is not None:
        notes += (
            "with more runs: harness run SCENARIO --repeat N for each side, then harness compare"
            " BASE NEW",
        )
    return Summary(
        run_id=new.run_id,
        scenario=new.scenario.name,
        about=new.scenario.about,
        executed=f"NEW {new.run_id} against BASE {base.run_id}",
        verdict=compare.verdict_text(result),
        sign=sign_of(like),
        headline=compare.headline(result),
        reasons=(),
        reasons_left=0,
        gauges=(),
        facts=(
            Fact("verdict of BASE", base.judgement.verdict.value),
            Fact("verdict of NEW", new.judgement.verdict.value),
            *(
                Fact(f"{name.upper()} of {side}", _percentile(data, name))
                for name in ("p50", "p99")
                for side, data in (("BASE", base), ("NEW", new))
            ),
        ),
        grade=new.judgement.grade.level,
        grade_text="A comparison has no grade of its own; this is that of NEW.",
        grade_reasons=(),
        style=like.value,
        lists=(("Notes on the comparison", notes),) if notes else (),
    )


def _percentile(data: ReportData, name: str) -> str:
    modes = sorted({f.mode for f in data.measurement.figures if f.phase == "measure"})
    texts = []
    for mode in modes:
        found = data.measurement.of("latency", "measure", mode)
        value = found.percentiles_ns.get(name) if found is not None else None
        text = format_duration_html(value) if value else "too few signals"
        texts.append(f"{text} ({mode})" if len(modes) > 1 else text)
    return ", ".join(texts) or "no signal"


def _sections(base: ReportData, new: ReportData, result: ComparisonResult) -> Iterator[Section]:
    yield Section(
        "latency",
        "Latency",
        "Both runs on one scale; one run of each side shows no more than these two runs.",
        (compared_figure({"BASE": base.measurement, "NEW": new.measurement}),),
    )
    if rows := _stage_rows(base, new):
        heads = (
            "stage",
            "mean, BASE",
            "mean, NEW",
            "P50, BASE",
            "P50, NEW",
            "P99, BASE",
            "P99, NEW",
        )
        yield Section(
            "breakdown",
            "Latency breakdown",
            "The stages of a signal, which add up to its latency.",
            (Table.of("Stages of a signal in the measured phase", heads, rows),),
        )
    yield Section(
        "objectives",
        "Objectives",
        "What each run shows of each objective.",
        (Table.of("Objectives of both runs", _HEADS, _objective_rows(base, new), numbers=False),),
    )
    if changes := compare.change_rows(result):
        yield Section(
            "changes",
            "Explaining figures",
            "What changed between the sides; none of it decides the verdict.",
            (Table.of("Explaining figures", compare.CHANGE_HEADS, changes),),
        )


def _stage_rows(base: ReportData, new: ReportData) -> list[tuple[str, ...]]:
    """A row for each stage of a signal that a run has; a dash where the other has none."""
    sides = [_stages(base), _stages(new)]
    names = dict.fromkeys(name for side in sides for name in side)
    absent = ("-", "-", "-")
    return [
        (
            name,
            *(
                text
                for pair in zip(*(side.get(name, absent) for side in sides), strict=True)
                for text in pair
            ),
        )
        for name in names
    ]


def _stages(data: ReportData) -> dict[str, tuple[str, str, str]]:
    """Mean, P50 and P99 of each stage in the measured phase."""
    return {
        f"{stage.start} → {stage.end} ({split.mode})": (
            format_duration_html(stage.sum_ns / split.count),
            format_duration_html(stage.p50_ns),
            format_duration_html(stage.p99_ns),
        )
        for split in data.measurement.splits
        if split.phase == "measure" and split.count
        for stage in split.stages
    }


def _objective_rows(base: ReportData, new: ReportData) -> list[tuple[str, ...]]:
    sides = [_objectives(base.judgement), _objectives(new.judgement)]
    names = dict.fromkeys(name for side in sides for name in side)
    return [(name, *(side.get(name, "-") for side in sides)) for name in names]


def _objectives(judgement: Judgement) -> dict[str, str]:
    return {
        check.name: f"{check.status.value}: {check.message}"
        for check in judgement.checks
        if check.kind is CheckKind.OBJECTIVE
    }
