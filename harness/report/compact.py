"""The end of a run on a small terminal: what did not pass, then the verdict and the next command.

At 80 columns it has at most 23 lines, unless a path is longer than a line. The stages of a load
have up to 5 more.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.text import Text

from harness.analysis.measurement import Measurement
from harness.diagnosis.answers import Diagnosis
from harness.formatting import format_count, format_duration_fixed
from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status, Verdict
from harness.language import tr
from harness.report.diagnosis import NO_CAUSE
from harness.report.headline import HORIZON, covered_s, deciding_check, format_confidence
from harness.report.stages import stage_rows
from harness.report.terminal import VERDICT_STYLES

OBJECTIVES_MAX = 5
NOT_OK_MAX = 2
STAGES_MAX = 4
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_SENTENCE_LINES = 4
_STATUS_WIDTH = len(Verdict.INCONCLUSIVE.name) + 2


@dataclass(frozen=True, slots=True)
class ClosingHints:
    """The last lines of a run.

    Attributes:
        report: path of the report; empty when it could not be written.
        advice: what to change before the next command; empty if nothing.
        command: the next command.
    """

    report: str
    advice: str
    command: str


def compact_lines(
    measurement: Measurement, judgement: Judgement, diagnosis: Diagnosis | None, width: int
) -> Iterator[Text]:
    """Latency, objectives and what did not pass; each line has at most `width` columns."""
    yield Text()
    for found in measurement.figures:
        if (found.phase, found.metric) == ("measure", "latency") and found.count:
            p50, p99 = (
                format_duration_fixed(found.percentiles_ns.get(name)) for name in ("p50", "p99")
            )
            message = tr(
                "latency ({mode}): P50 {p50}, P99 {p99}, max {maximum}",
                mode=found.mode, p50=p50, p99=p99, maximum=format_duration_fixed(found.max_ns),
            )  # fmt: skip
            yield _line("", message, width)
    yield from _stages(stage_rows(measurement), width)
    objectives = sorted(judgement.of(CheckKind.OBJECTIVE), key=_is_ok)
    yield from _rows(objectives, OBJECTIVES_MAX, 1, width)
    others = [check for check in judgement.checks if check.kind is not CheckKind.OBJECTIVE]
    yield from _rows([check for check in others if not _is_ok(check)], NOT_OK_MAX, 2, width)
    passed = sum(map(_is_ok, others))
    yield _line(
        "",
        tr(
            "{passed} of {total} other checks ok; grade {grade}; -v: all",
            passed=passed,
            total=len(others),
            grade=tr(judgement.grade.level),
        ),
        width,
    )
    if diagnosis is not None:
        message = diagnosis.failed or diagnosis.headline or NO_CAUSE
        yield _line("", tr("diagnosis: {message}", message=message), width)


def _stages(rows: Sequence[Sequence[str]], width: int) -> Iterator[Text]:
    """The first stages, each on a line."""
    for title, agents, asked, sent, _, p50, p99, interval, backlog, verdict in rows[:STAGES_MAX]:
        own = "" if verdict == "-" else f", {verdict}"
        message = (
            f"stage {title}: agents {agents}, sent {sent} of {asked}/s, P50 {p50}, P99 {p99}"
            f"{'' if interval == '-' else f' ({interval})'}, backlog {backlog}{own}"
        )
        yield _line("", message, width)
    if len(rows) > STAGES_MAX:
        yield _line("", f"and {format_count(len(rows) - STAGES_MAX, 'stage')} more: -v", width)


def closing_lines(judgement: Judgement, ending: ClosingHints, width: int) -> Iterator[Text]:
    """Verdict, one sentence, the report and the next command: always the last lines.

    Paths and commands are not wrapped, so that they can be copied.
    """
    verdict = judgement.verdict
    yield Text()
    yield Text.assemble(
        (f" {verdict.name} ", VERDICT_STYLES[verdict]),
        "  " + tr("exit code {code}", code=judgement.exit_code),
    )
    yield from map(Text, wrapped(sentence(judgement), width, _SENTENCE_LINES))
    if ending.report:
        yield Text(tr("report: {path}", path=ending.report))
    if ending.advice:
        yield from map(Text, wrapped(tr("change: {advice}", advice=ending.advice), width, 2))
    yield Text(tr("next:   {command}", command=ending.command))


def sentence(judgement: Judgement) -> str:
    """What decided the verdict, as one sentence."""
    found = deciding_check(judgement)
    if found is None:
        return tr("The system meets every objective, and every check passes.")
    values = {"check": tr(found.name), "message": found.message}
    if judgement.verdict is Verdict.PASS:
        horizon = covered_s(judgement)
        values["message"] = brief(found) + (tr(HORIZON, horizon=horizon) if horizon else "")
        return tr("The system meets every objective; {check}: {message}.", **values)
    if judgement.verdict is Verdict.INVALID:
        return tr("The run is not a valid measurement: {message}.", **values)
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return tr('The run leaves "{check}" undecided: {message}.', **values)
    values["message"] = brief(found)
    if found.kind is CheckKind.OBJECTIVE:
        return tr('The system violates an objective, "{check}": {message}.', **values)
    return tr('The system violates a check, "{check}": {message}.', **values)


def brief(check: Check) -> str:
    """The figures of a check, abbreviated; its message where it has no percentile."""
    figures = check.figures
    estimate, limit = figures.get("estimate_ns"), figures.get("limit_ns")
    if not isinstance(estimate, int) or not isinstance(limit, int):
        return check.message
    lower, upper = (figures.get(name) for name in ("lower_ns", "upper_ns"))
    return tr(
        "measured {estimate} ({lower} to {upper} at {confidence}), limit {limit}",
        estimate=format_duration_fixed(estimate),
        lower=format_duration_fixed(lower) if isinstance(lower, int) else tr("no lower bound"),
        upper=format_duration_fixed(upper) if isinstance(upper, int) else tr("no upper bound"),
        confidence=format_confidence(check),
        limit=format_duration_fixed(limit),
    )


def _is_ok(check: Check) -> bool:
    return check.status.is_clean


def _rows(checks: Sequence[Check], most: int, lines: int, width: int) -> Iterator[Text]:
    """The first `most` checks, each on at most `lines` lines."""
    for check in checks[:most]:
        status = "ok" if _is_ok(check) else check.status.name
        if check.status is Status.NOT_APPLICABLE:
            status = "--"
        parts = wrapped(f"{tr(check.name)}: {brief(check)}", width - _STATUS_WIDTH, lines)
        for number, part in enumerate(parts):
            yield _line(status if number == 0 else "", part, width, ok=_is_ok(check))
    if len(checks) > most:
        yield _line("", tr("and {count} more: -v", count=format_count(len(checks) - most)), width)


def _line(status: str, message: str, width: int, *, ok: bool = True) -> Text:
    lines = wrapped(message, width - _STATUS_WIDTH, 1)
    return Text.assemble(
        (f"{status:<{_STATUS_WIDTH}}", "green" if ok else "bold red"), lines[0] if lines else ""
    )


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """A text on at most `lines` lines; an ellipsis replaces the rest."""
    whole, width = " ".join(text.split()), max(width, 8)
    if cell_len(whole) > len(whole):
        return _wrapped_wide(whole, width, lines)
    return textwrap.wrap(whole, width, max_lines=lines, placeholder=_ELLIPSIS)


def _wrapped_wide(text: str, width: int, lines: int) -> list[str]:
    """The same of a text with characters of two columns, which has few spaces to break at."""
    found: list[str] = []
    while text and len(found) < lines:
        part = chop_cells(text, width)[0]
        rest = text[len(part) :]
        if rest and len(found) == lines - 1:
            return [*found, f"{chop_cells(part, width - 1)[0]}{_ELLIPSIS}"]
        space = part.rfind(" ")
        if rest and not rest.startswith(" ") and part[-1].isascii() and space > 0:
            part = part[:space]
        text = text[len(part) :].lstrip()
        found.append(part.rstrip())
    return found
