"""A run on half a page of Markdown, for the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.analysis.measurement import Measurement, MetricFigures, SignalOutcomeFigures
from harness.assessment.group import GroupJudgement
from harness.evidence.group_folder import GroupFolder
from harness.formatting import format_count, format_duration_fixed
from harness.judge.check import Check, CheckKind
from harness.judge.grade import Grade
from harness.judge.verdict import Status
from harness.printable import one_line
from harness.report.data import ReportData
from harness.report.gate import (
    LATENCY_HEADS,
    ROUND_HEADS,
    gate_notes,
    latency_rows,
    round_rows,
)
from harness.report.headline import headline

_PERCENTILES = ("p50", "p99", "p99.9")
_CHECKS_SHOWN = 20
# What would be taken for markup or for a cell's end, and what would end a line.
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
# What begins a heading, a list, a quotation or a rule at the beginning of a line.
_BLOCK = re.compile(r"^([#+=>-]|\d+(?=[.)]))")
# What GitHub makes links and mentions of.
_LINKED = (("://", "&#58;//"), ("www.", "www&#46;"), ("@", "&#64;"))


def markdown(data: ReportData) -> str:
    """The summary of a run."""
    judgement = data.judgement
    lines = [
        f"## {judgement.verdict.name}: {escaped(data.scenario.name)}",
        "",
        *_anew(data),
        escaped(data.executed) + ".",
        "",
        escaped(headline(judgement)) + ".",
        "",
        *_objectives(judgement.of(CheckKind.OBJECTIVE)),
        *_unclean(judgement.checks),
        *_latency(data.measurement, judgement.of(CheckKind.OBJECTIVE)),
        *_gate(data.measurement),
        f"Signals: {_account(data.measurement)}.",
        "",
    ]
    if data.diagnosis is not None:
        named = data.diagnosis.headline or "none of the specified causes was found"
        lines += [f"Diagnosis ({escaped(data.diagnosis.because)}): {escaped(named)}.", ""]
    lines += [
        _grade(judgement.grade),
        "",
        f"Run {escaped(data.run_id)}, seed {data.plan.seed}. To ask the same again:",
        "",
        *_code(data.command),
    ]
    return "\n".join(lines) + "\n"


def group_markdown(judgement: GroupJudgement, folder: GroupFolder) -> str:
    """The summary of several runs of one question."""
    names = list(dict.fromkeys(name for run in judgement.runs for name in run.estimates_ns))
    rows = [
        (
            escaped(run.run_id),
            str(run.seed),
            run.verdict.name,
            *(format_duration_fixed(run.estimates_ns.get(name)) for name in names),
        )
        for run in judgement.runs
    ]
    lines = [
        f"## {judgement.verdict.name}: {format_count(len(judgement.runs))} runs",
        "",
        *_table(("run", "seed", "verdict", *(escaped(name) for name in names)), rows),
        *_objectives([check for check in judgement.checks if check.kind is CheckKind.OBJECTIVE]),
        *_unclean(judgement.checks),
        _grade(judgement.grade),
        "",
        f"Group {escaped(folder.path.name)}. To judge it again:",
        "",
        *_code(f"harness judge {folder.path}"),
    ]
    return "\n".join(lines) + "\n"


def _anew(data: ReportData) -> list[str]:
    if not data.rejudged_reason:
        return []
    return [f"**Judged anew for this report**: {escaped(data.rejudged_reason)}.", ""]


def _grade(grade: Grade) -> str:
    reasons = f" ({escaped('; '.join(grade.reasons))})" if grade.reasons else ""
    return f"Grade: {grade.level}{reasons}."


def escaped(text: str) -> str:
    """Text that is shown as it is, on one line."""
    safe = _SPECIAL.sub(r"\\\1", " ".join(one_line(text).split()))
    safe = safe.replace("&", "&amp;").replace("<", "&lt;")
    for own, written in _LINKED:
        safe = safe.replace(own, written)
    return _BLOCK.sub(_escaped_block, safe)


def _escaped_block(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def _objectives(checks: Sequence[Check]) -> list[str]:
    rows = [(_word(check), escaped(check.name), escaped(check.message)) for check in checks]
    return _table(("", "objective", "found"), rows)


def _word(check: Check) -> str:
    if check.status is Status.NOT_APPLICABLE:
        return "not applicable"
    return "ok" if check.status.is_clean else f"**{check.status.name}**"


def _unclean(checks: Iterable[Check]) -> Iterator[str]:
    """Integrity and validity: only what is not clean, and how much is."""
    others = [check for check in checks if check.kind is not CheckKind.OBJECTIVE]
    unclean = [check for check in others if not check.status.is_clean]
    for check in unclean[:_CHECKS_SHOWN]:
        said = check.message + (f" ({', '.join(check.examples[:3])})" if check.examples else "")
        yield f"- **{check.status.name}** {escaped(check.name)}: {escaped(said)}"
    if len(unclean) > _CHECKS_SHOWN:
        yield f"- and {len(unclean) - _CHECKS_SHOWN} more"
    if unclean:
        yield ""
    clean = len(others) - len(unclean)
    yield f"{clean} of {len(others)} checks of integrity and validity are clean."
    yield ""


def _latency(measurement: Measurement, checks: Sequence[Check]) -> list[str]:
    found = [
        figures
        for figures in measurement.figures
        if figures.phase == "measure" and figures.metric == "latency" and figures.count
    ]
    rows = [
        (
            f"latency ({figures.mode})",
            *(_percentile(name, figures, checks, len(found)) for name in _PERCENTILES),
            format_duration_fixed(figures.max_ns),
            format_count(figures.count),
        )
        for figures in found
    ]
    heads = ("", *(name.upper() for name in _PERCENTILES), "max", "signals")
    return _table(heads, rows)


def _percentile(name: str, figures: MetricFigures, checks: Sequence[Check], modes: int) -> str:
    """A percentile with its interval, where an objective had one computed."""
    value = figures.percentiles_ns.get(name)
    if value is None:
        return "too few signals"
    for check in checks:
        own = check.figures
        # Objectives of single stages, other metrics and other modes have other figures.
        if own.get("estimate_ns") != value or own.get("signals") != figures.count:
            continue
        if modes > 1 and figures.mode != check.mode:
            continue
        lower, upper = own.get("lower_ns"), own.get("upper_ns")
        low = format_duration_fixed(lower) if isinstance(lower, int) else "?"
        high = format_duration_fixed(upper) if isinstance(upper, int) else "?"
        return f"{format_duration_fixed(value)} ({low} to {high})"
    return format_duration_fixed(value)


def _gate(measurement: Measurement) -> list[str]:
    gate = measurement.gate
    if gate is None:
        return []
    return [
        *_table(ROUND_HEADS, [[escaped(cell) for cell in row] for row in round_rows(gate)]),
        *_table(LATENCY_HEADS, latency_rows(gate)),
        escaped(f"Gate: {'; '.join(gate_notes(gate))}."),
        "",
    ]


def _account(measurement: Measurement) -> str:
    account: SignalOutcomeFigures = measurement.account
    classes = {
        "simulated": account.simulated,
        "rejected": account.rejected,
        "lost": account.lost,
        "in flight": account.in_flight,
        "refused": account.refused,
        "recovered": account.recovered,
    }
    told = " + ".join(f"{format_count(count)} {name}" for name, count in classes.items())
    return (
        f"{format_count(account.attempted)} attempted = {told};"
        f" {format_count(measurement.duplicated)} duplicated,"
        f" {format_count(measurement.unexpected)} unexpected"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    return [
        f"| {' | '.join(heads)} |",
        f"|{' --- |' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def _code(text: str) -> list[str]:
    shown = one_line(text)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, shown, fence]
