"""All checks, with what they found and whom they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.formatting import format_count, format_number
from harness.judge.check import Check, CheckKind, Figure
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status
from harness.report.html.formatting import format_duration_html

_TITLES = {
    CheckKind.OBJECTIVE: (
        "Objectives",
        "What the scenario promises, each held against the measured phase.",
    ),
    CheckKind.INTEGRITY: (
        "Integrity",
        "What the system did to each signal: nothing lost, nothing twice, every row and booking as"
        " it should be. A violation is a FAIL whatever the latency.",
    ),
    CheckKind.VALIDITY: (
        "Validity",
        "Whether the run measured the system, and not itself: a generator on time, an observer that"
        " saw everything, evidence that is whole.",
    ),
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check as the page shows it.

    Attributes:
        style: of its word.
        summary: what opens the figures and names below it.
    """

    name: str
    verdict: str
    word: str
    style: str
    message: str
    figures: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class CheckGroup:
    """The checks of a kind."""

    key: str
    title: str
    about: str
    checks: tuple[CheckRow, ...]


def group_checks(judgement: Judgement) -> Iterator[CheckGroup]:
    """By kind; what is not clean comes first."""
    for kind, (title, about) in _TITLES.items():
        checks = judgement.of(kind)
        if checks:
            rows = sorted(map(_row, checks), key=lambda row: row.word == "ok")
            yield CheckGroup(kind.value, title, about, tuple(rows))


def _row(check: Check) -> CheckRow:
    word, style = check.status.value, check.status.value.lower()
    if check.status is Status.NOT_APPLICABLE:
        word, style = "not applicable", "unjudged"
    elif check.status.is_clean:
        word = "ok"
    figures = tuple((name, _text(name, value)) for name, value in check.figures.items())
    parts = []
    if figures:
        parts.append(f"{len(figures)} figure{'' if len(figures) == 1 else 's'}")
    if check.examples:
        parts.append(f"{len(check.examples)} named")
    return CheckRow(
        name=check.name,
        verdict=check.status.verdict.value,
        word=word,
        style=style,
        message=check.message,
        figures=figures,
        examples=check.examples,
        summary=", ".join(parts),
    )


def _text(name: str, value: Figure) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if name.endswith("_ns"):
        return format_duration_html(value)
    return format_count(value) if isinstance(value, int) else format_number(value)
