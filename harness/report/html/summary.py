"""The top of the page: verdict, reasons, objectives, main figures and grade."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.formatting import format_count, format_share_fixed
from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict
from harness.language import is_english, tr
from harness.report.compact import sentence
from harness.report.data import ReportData
from harness.report.headline import format_confidence, headline
from harness.report.html.formatting import format_duration_html
from harness.report.html.latency_bars import Picture, picture_of_run
from harness.scenario import Objective

REASONS_MAX = 6
# A verdict has a sign in addition to its colour and its name.
_SIGNS = {
    Verdict.PASS: '<path d="M4 11l4 4 8-10"/>',
    Verdict.FAIL: '<path d="M5 5l10 10M15 5L5 15"/>',
    Verdict.INVALID: '<circle cx="10" cy="10" r="7"/><path d="M5 15L15 5"/>',
    Verdict.INCONCLUSIVE: '<path d="M6 7a4 4 0 1 1 5 4l-1 1v2M10 17.5v.1"/>',
}
_GAUGE = "{check}: {value}, {interval}; the limit is {limit}."
_GAUGE_TITLE = "{check}: measured value, interval and limit (logarithmic; right is slower)"
GRADE_TEXTS = {
    "signoff": "This run qualifies for a sign-off.",
    "indicative": "Indicative only. The run does not qualify for a sign-off:",
}


@dataclass(frozen=True, slots=True)
class Gauge:
    """A percentile with its interval and its limit on a logarithmic line.

    Attributes:
        low_at, high_at, value_at, limit_at: positions on the line, 0 to 100.
        open_end: whether the interval has no upper end.
    """

    title: str
    message: str
    value: str
    limit: str
    low_at: float
    high_at: float
    value_at: float
    limit_at: float
    open_end: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure with its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything above the first section.

    Attributes:
        about: the scenario's description, which overrides do not change.
        executed: the executed load.
        sign: SVG of the verdict's sign, in the units of a 20 by 20 box.
        reasons: the checks that do not pass, the deciding ones first; at most REASONS_MAX.
        reasons_left: number of the other ones.
        noun: what `scenario` names.
        style: CSS class of the verdict; empty for its own name.
        lists: titles with lines, below the headline.
        picture: latency over time; None of several runs, or without a signal.
    """

    run_id: str
    scenario: str
    about: str
    executed: str
    verdict: str
    sign: Markup
    headline: str
    reasons: tuple[Check, ...]
    reasons_left: int
    gauges: tuple[Gauge, ...]
    facts: tuple[Fact, ...]
    grade: str
    grade_text: str
    grade_reasons: tuple[str, ...]
    noun: str = "Scenario"
    style: str = ""
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    picture: Picture | None = None


def build_summary(data: ReportData) -> Summary:
    """The top of a run's page."""
    scenario, judgement = data.scenario, data.judgement
    # A single reason is the headline already.
    reasons = [check for check in judgement.reasons if not check.status.is_clean]
    others = reasons if len(reasons) > 1 else []
    grade = judgement.grade
    return Summary(
        run_id=data.run_id,
        scenario=scenario.name,
        about=scenario.about,
        executed=data.executed,
        verdict=judgement.verdict.value,
        sign=sign_of(judgement.verdict),
        headline=headline(judgement) if is_english() else sentence(judgement),
        reasons=tuple(others[:REASONS_MAX]),
        reasons_left=max(0, len(others) - REASONS_MAX),
        gauges=tuple(_gauges(scenario.parsed_objectives(), judgement)),
        facts=tuple(_facts(data)),
        grade=grade.level,
        grade_text=GRADE_TEXTS[grade.level],
        grade_reasons=grade.reasons,
        picture=picture_of_run(data),
    )


def sign_of(verdict: Verdict) -> Markup:
    """SVG of a verdict's sign."""
    return Markup(_SIGNS[verdict])  # noqa: S704 - our own drawing


def _facts(data: ReportData) -> Iterator[Fact]:
    """Main figures; those of the load are in `executed` already."""
    measurement = data.measurement
    modes = sorted({f.mode for f in measurement.figures if f.phase == "measure"})
    for mode in modes:
        found = measurement.of("latency", "measure", mode)
        if found is not None:
            suffix = f" ({mode})" if len(modes) > 1 else ""
            for name in ("p50", "p99"):
                value = found.percentiles_ns.get(name)
                yield Fact(
                    f"{name.upper()} of latency{suffix}",
                    format_duration_html(value) if value else tr("too few"),
                )
    yield Fact("signals attempted", format_count(measurement.account.attempted))
    yield Fact("lost", format_count(measurement.account.lost))
    for rate in measurement.rates:
        if rate.phase == "measure" and rate.share is not None:
            yield Fact("load sent as planned", format_share_fixed(rate.share))


def _gauges(objectives: Sequence[Objective], judgement: Judgement) -> Iterator[Gauge]:
    """One for each objective of a latency percentile over the whole phase."""
    checks = judgement.of(CheckKind.OBJECTIVE)
    for objective in objectives:
        if objective.is_latency_percentile and objective.window_ns is None:
            for check in checks:
                if check.objective == objective.text and (g := _gauge(check)):
                    yield g


def _gauge(check: Check) -> Gauge | None:
    value, limit = _ns(check.figures, "estimate_ns"), _ns(check.figures, "limit_ns")
    low, high = _ns(check.figures, "lower_ns"), _ns(check.figures, "upper_ns")
    if not value or not limit:
        return None
    low_text = format_duration_html(low) if low else tr("no lower bound")
    low = min(low or value, value)
    high_end = max(high or value, value)
    span = (math.log10(min(low, limit)) - 0.25, math.log10(max(high_end, limit)) + 0.35)

    def at(value_ns: int) -> float:
        share = (math.log10(max(1, value_ns)) - span[0]) / (span[1] - span[0])
        return round(100 * share, 2)

    each = format_confidence(check)
    high_text = format_duration_html(high) if high else ""
    interval = tr("no upper bound")
    if high:
        values = {"lower": low_text, "upper": high_text, "confidence": each}
        interval = tr("{lower} to {upper}, each at {confidence}", **values)
    value_text, limit_text = format_duration_html(value), format_duration_html(limit)
    figures = {"value": value_text, "interval": interval, "limit": limit_text}
    return Gauge(
        title=tr(_GAUGE_TITLE, check=tr(check.name)),
        message=tr(_GAUGE, check=tr(check.name), **figures),
        value=f"{value_text} ({interval})",
        limit=limit_text,
        low_at=at(low),
        high_at=at(high_end) if high else 100.0,
        value_at=at(value),
        limit_at=at(limit),
        open_end=high is None,
    )


def _ns(figures: Mapping[str, object], name: str) -> int | None:
    value = figures.get(name)
    return value if isinstance(value, int) and value > 0 else None
