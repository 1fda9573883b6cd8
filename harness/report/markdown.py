"""A run on half a page of Markdown, for the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from harness.analysis.measurement import MetricFigures
from harness.assessment.capacity import CapacityResult
from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.group import GroupJudgement
from harness.assessment.scale_result import ScaleResult
from harness.assessment.signoff import SignoffResult
from harness.evidence.group_folder import GroupFolder
from harness.formatting import format_count, format_duration_fixed
from harness.judge.check import Check, CheckKind
from harness.judge.grade import Grade
from harness.judge.verdict import Status
from harness.printable import one_line
from harness.report import capacity, compare, scale, scale_out, signoff
from harness.report.data import ReportData
from harness.report.diagnosis import NO_CAUSE
from harness.report.gate import LATENCY_HEADS, ROUND_HEADS, gate_notes, latency_rows, round_rows
from harness.report.headline import headline
from harness.report.stages import ROWS_MAX, STAGE_HEADS, left_out, stage_rows

_PERCENTILES = ("p50", "p99", "p99.9")
_CHECKS_SHOWN = 20
# Characters of markup, and the end of a table cell.
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
# At the beginning of a line: a heading, a list, a quotation or a rule.
_BLOCK = re.compile(r"^([#+=>-]|\d+(?=[.)]))")
# GitHub turns these into links and mentions.
_LINKED = (("://", "&#58;//"), ("www.", "www&#46;"), ("@", "&#64;"))


def markdown(data: ReportData) -> str:
    """The summary of a run."""
    judgement = data.judgement
    lines = [
        f"## {judgement.verdict.name}: {escaped(data.scenario.name)}",
        "",
        *_rejudged(data),
        escaped(data.executed) + ".",
        "",
        escaped(headline(judgement)) + ".",
        "",
    ]
    for section in SECTIONS:
        lines += section(data)
    return "\n".join(lines) + "\n"


def group_markdown(judgement: GroupJudgement, folder: GroupFolder) -> str:
    """The summary of a group of runs."""
    ids = list(dict.fromkeys(own for run in judgement.runs for own in run.estimates_ns))
    titles = {check.id: check.name for check in judgement.checks}
    rows = [
        (
            escaped(run.run_id),
            str(run.seed),
            run.verdict.name,
            *(format_duration_fixed(run.estimates_ns.get(own)) for own in ids),
        )
        for run in judgement.runs
    ]
    lines = [
        f"## {judgement.verdict.name}: {format_count(len(judgement.runs))} runs",
        "",
        *_table(("run", "seed", "verdict", *(escaped(titles.get(own, own)) for own in ids)), rows),
        *_checks(judgement.checks),
        *_grade(judgement.grade),
        f"Group {escaped(folder.path.name)}. To judge it again:",
        "",
        *_code(f"harness judge {folder.path}"),
    ]
    return "\n".join(lines) + "\n"


def capacity_markdown(result: CapacityResult, path: Path) -> str:
    """The summary of a search of the capacity."""
    axis = result.axis
    curve = [
        (
            escaped(capacity.format_level(trial.level, axis)),
            trial.answer.value,
            format_duration_fixed(trial.p50_ns),
            escaped(capacity.format_interval(trial.deciding)),
            escaped(capacity.format_use(trial)),
        )
        for trial in result.levels
    ]
    trials = [
        (
            str(trial.number),
            escaped(capacity.format_level(trial.level, axis)),
            capacity.PURPOSES[trial.purpose],
            trial.answer.value,
            trial.verdict.name,
            f"{trial.elapsed_s:.0f} s",
            escaped(trial.run_id),
        )
        for trial in result.trials
    ]
    found = result.bottleneck
    questions = found.diagnosis.questions if found and found.diagnosis else ()
    lines = [
        f"## {result.verdict.name}: {escaped(capacity.headline(result))}",
        "",
        f"{escaped(capacity.reason_text(result))}.",
        "",
        *_table(
            ("bound", axis.value),
            [(escaped(name), escaped(value)) for name, value in capacity.bound_rows(result)],
        ),
        *_table(("level", "answer", "P50", "objective", "CPU"), curve),
        *_table(("trial", "level", "purpose", "answer", "verdict", "took", "run"), trials),
        *[f"- {one.key}: {one.answer}: {escaped(one.message)}" for one in questions],
        "" * bool(questions),
        *_grade(result.grade),
        f"Search {escaped(result.search_id)}. To judge it again:",
        "",
        *_code(f"harness judge {path}"),
    ]
    return "\n".join(lines) + "\n"


def scale_markdown(result: ScaleResult, path: Path) -> str:
    """The summary of an experiment over levels."""

    def rows(found: Iterable[Sequence[str]]) -> list[list[str]]:
        return [[escaped(cell) for cell in row] for row in found]

    models = rows(scale.model_rows(result.scaling)) if result.scaling else []
    parameters = rows(scale.parameter_rows(result, result.scaling)) if result.scaling else []
    unmeasured = [
        [str(cell.level), cell.run_id, cell.status.value, "; ".join(cell.reasons[:1])]
        for cell in scale.not_measured(result)[:_CHECKS_SHOWN]
    ]
    lines = [
        f"## {result.verdict.name}: {escaped(scale.headline(result))}",
        "",
        f"{escaped(result.about)}: {escaped(scale.status_text(result))}.",
        "",
        *_table(scale.LEVEL_HEADS, rows(scale.level_rows(result))),
        *_table(scale.MODEL_HEADS, models),
        *_table(scale.PARAMETER_HEADS, parameters),
        *_table(("level", "run without a figure", "status", "reason"), rows(unmeasured)),
        *[f"- {escaped(note)}" for note in scale.notes(result)],
        "",
        *_grade(result.grade),
        f"Experiment {escaped(result.experiment_id)}. To judge it again:",
        "",
        *_code(f"harness judge {path}"),
    ]
    return "\n".join(lines) + "\n"


def compare_markdown(result: ComparisonResult) -> str:
    """The summary of a comparison, for a pull request."""

    def rows(found: Iterable[Sequence[str]]) -> list[list[str]]:
        return [[escaped(cell) for cell in row] for row in found]

    lines = [
        f"## {compare.verdict_text(result)}: {escaped(compare.headline(result))}",
        "",
        *[f"`{one}`  " for one in compare.side_blocks(result)],
        "",
        *[f"- {escaped(note)}" for note in compare.notes(result)],
        "",
        *_table(compare.SIDE_HEADS, rows(compare.side_rows(result))),
        *_table(compare.CHANGE_HEADS, rows(compare.change_rows(result))),
    ]
    return "\n".join(lines) + "\n"


def signoff_markdown(result: SignoffResult, archive: Path) -> str:
    """The summary of a sign-off."""
    rows = [
        (
            escaped(one.id),
            signoff.words(one.status),
            escaped(signoff.figures_text(one.deciding.figures if one.deciding else {})),
            escaped(signoff.why_text(one.reasons)),
        )
        for one in result.criteria
    ]
    waivers = [f"- Waiver of {escaped(line)}" for line in signoff.waiver_lines(result)]
    lines = [
        f"## {signoff.words(result.decision)}: {signoff.headline(result)}",
        "",
        *_table(("criterion", "status", "figures", "why"), rows),
        *([*waivers, ""] if waivers else []),
        *(f"- {escaped(line)}" for line in signoff.grade_lines(result)),
        "",
        f"Sign-off {escaped(result.signoff_id)}. To verify it:",
        "",
        *_code(f"harness signoff verify {archive}"),
    ]
    return "\n".join(lines) + "\n"


def _rejudged(data: ReportData) -> list[str]:
    if not data.rejudged_reason:
        return []
    return [f"**Judged again for this report**: {escaped(data.rejudged_reason)}.", ""]


def _grade(grade: Grade) -> list[str]:
    reasons = f" ({escaped('; '.join(grade.reasons))})" if grade.reasons else ""
    return [f"Grade: {grade.level}{reasons}.", ""]


def escaped(text: str) -> str:
    """Text without any markup, on one line."""
    safe = _SPECIAL.sub(r"\\\1", " ".join(one_line(text).split()))
    safe = safe.replace("&", "&amp;").replace("<", "&lt;")
    for own, written in _LINKED:
        safe = safe.replace(own, written)
    return _BLOCK.sub(_escaped_block, safe)


def _escaped_block(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def _checks(checks: Sequence[Check]) -> list[str]:
    """Every objective; of integrity and validity the checks that do not pass, and how many do."""
    rows = [
        (_status(check), escaped(check.name), escaped(check.message))
        for check in checks
        if check.kind is CheckKind.OBJECTIVE
    ]
    return [*_table(("", "objective", "result"), rows), *_not_passed(checks)]


def _status(check: Check) -> str:
    if check.status is Status.NOT_APPLICABLE:
        return "not applicable"
    return "ok" if check.status.is_clean else f"**{check.status.name}**"


def _not_passed(checks: Iterable[Check]) -> Iterator[str]:
    others = [check for check in checks if check.kind is not CheckKind.OBJECTIVE]
    failed = [check for check in others if not check.status.is_clean]
    for check in failed[:_CHECKS_SHOWN]:
        message = check.message + (f" ({', '.join(check.examples[:3])})" if check.examples else "")
        yield f"- **{check.status.name}** {escaped(check.name)}: {escaped(message)}"
    if len(failed) > _CHECKS_SHOWN:
        yield f"- and {len(failed) - _CHECKS_SHOWN} more"
    if failed:
        yield ""
    passed = len(others) - len(failed)
    yield f"{passed} of {len(others)} integrity and validity checks pass."
    yield ""


def _latency(data: ReportData) -> list[str]:
    checks = data.judgement.of(CheckKind.OBJECTIVE)
    found = [
        figures
        for figures in data.measurement.figures
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


def _stages(data: ReportData) -> list[str]:
    # Only the name of a stage and its verdict are texts of a stored result.
    rows = [
        (escaped(name), *cells, escaped(verdict))
        for name, *cells, verdict in stage_rows(data.measurement)
    ]
    note = left_out(len(rows))
    return [*_table(STAGE_HEADS, rows[:ROWS_MAX]), *([f"{note}.", ""] if note else [])]


def _percentile(name: str, figures: MetricFigures, checks: Sequence[Check], modes: int) -> str:
    """A percentile with its interval, where an objective has one."""
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


def _gate(data: ReportData) -> list[str]:
    gate = data.measurement.gate
    if gate is None:
        return []
    return [
        *_table(ROUND_HEADS, [[escaped(cell) for cell in row] for row in round_rows(gate)]),
        *_table(LATENCY_HEADS, latency_rows(gate)),
        escaped(f"Gate: {'; '.join(gate_notes(gate))}."),
        "",
    ]


def _scale_out(data: ReportData) -> list[str]:
    figures = data.measurement.scale_out
    if figures is None:
        return []
    services = [[escaped(cell) for cell in row] for row in scale_out.service_rows(figures)]
    return [
        *_table(scale_out.STEP_HEADS, scale_out.step_rows(figures)),
        *_table(scale_out.LATENCY_HEADS, scale_out.latency_rows(figures)),
        *_table(scale_out.SERVICE_HEADS, services),
        escaped(f"Events: {'; '.join(scale_out.scale_out_notes(figures))}."),
        "",
    ]


def _account(data: ReportData) -> list[str]:
    measurement = data.measurement
    account = measurement.account
    classes = {
        "simulated": account.simulated,
        "rejected": account.rejected,
        "lost": account.lost,
        "in flight": account.in_flight,
        "refused": account.refused,
        "recovered": account.recovered,
    }
    outcomes = " + ".join(f"{format_count(count)} {name}" for name, count in classes.items())
    return [
        f"Signals: {format_count(account.attempted)} attempted = {outcomes};"
        f" {format_count(measurement.duplicated)} duplicated,"
        f" {format_count(measurement.unexpected)} unexpected.",
        "",
    ]


def _diagnosis(data: ReportData) -> list[str]:
    if data.diagnosis is None:
        return []
    headline_text = data.diagnosis.headline or NO_CAUSE
    return [f"Diagnosis ({escaped(data.diagnosis.because)}): {escaped(headline_text)}.", ""]


def _reproduce(data: ReportData) -> list[str]:
    return [
        f"Run {escaped(data.run_id)}, seed {data.plan.seed}. To repeat it:",
        "",
        *_code(data.command),
    ]


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


# The lines of each section end with an empty one; a section without content has none.
SECTIONS: tuple[Callable[[ReportData], list[str]], ...] = (
    lambda data: _checks(data.judgement.checks),
    _latency,
    _stages,
    _gate,
    _scale_out,
    _account,
    _diagnosis,
    lambda data: _grade(data.judgement.grade),
    _reproduce,
)
