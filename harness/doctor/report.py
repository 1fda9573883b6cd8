"""The findings of the doctor, what they allow to conclude, and how a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.errors import Exit


class Level(IntEnum):
    """How a finding is meant."""

    OK = 0
    WARN = 1
    BAD = 2


class Suitability(IntEnum):
    """What a host is good for, from the least to the most."""

    NOTHING = 0
    PROCESS = 1
    INDICATIVE = 2
    SIGNOFF = 3

    @property
    def label(self) -> str:
        """Its name in messages."""
        return _LABELS[self]


_LABELS = {
    Suitability.NOTHING: "nothing",
    Suitability.PROCESS: "process stack only",
    Suitability.INDICATIVE: "indicative",
    Suitability.SIGNOFF: "signoff",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact that was checked.

    Attributes:
        topic: what it is about.
        found: what the probe saw, or that it saw nothing.
        means: what that means for a run.
        todo: what to do about it; empty when all is well.
        docker_max: the most that containers are good for while this is so.
        process_max: the most that the process stack is good for while this is so.
    """

    topic: str
    level: Level
    found: str
    means: str
    todo: str = ""
    docker_max: Suitability = Suitability.SIGNOFF
    process_max: Suitability = Suitability.PROCESS


@dataclass(frozen=True, slots=True)
class SignoffRequirement:
    """One property of the machine that a sign-off needs.

    Attributes:
        name: of the property.
        needed: what it must be.
        here: what was seen of it on this host.
        is_met: whether the findings show that this suffices.
    """

    name: str
    needed: str
    here: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and the conclusion.

    Attributes:
        reasons: topics that stand in the way of more.
        use: what the host is good for; None where that is not the question.
        needs: the machine that a sign-off needs.
    """

    title: str
    findings: tuple[Finding, ...]
    conclusion: str
    reasons: tuple[str, ...]
    exit_code: Exit
    use: Suitability | None = None
    needs: tuple[SignoffRequirement, ...] = ()


def conclude(findings: Iterable[Finding]) -> Suitability:
    """The most that the findings allow: by containers or by processes, whichever is more.

    Each way is as good as its worst finding, and no finding at all allows nothing.
    """
    seen = tuple(findings)
    if not seen:
        return Suitability.NOTHING
    by_docker = min(finding.docker_max for finding in seen)
    by_process = min(min(finding.process_max for finding in seen), Suitability.PROCESS)
    return max(by_docker, by_process)


def host_report(
    findings: tuple[Finding, ...], needs: tuple[SignoffRequirement, ...] = ()
) -> Report:
    """The report on a host that is to run the harness."""
    use = conclude(findings)
    return Report(
        title="What this host is good for",
        findings=findings,
        conclusion=f"good for: {use.label}",
        reasons=_reasons(findings, use),
        exit_code=Exit.PASS if use else Exit.STACK,
        use=use,
        needs=needs,
    )


def _reasons(findings: tuple[Finding, ...], use: Suitability) -> tuple[str, ...]:
    """Topics without which the host would be good for more."""
    return tuple(
        finding.topic
        for finding in findings
        if finding.docker_max <= use < Suitability.SIGNOFF
        or (use is Suitability.NOTHING and finding.process_max is Suitability.NOTHING)
    )


def profile_report(name: str, about: str, findings: tuple[Finding, ...]) -> Report:
    """The report on a bare-metal host of Zone C: what was not seen is not granted."""
    worst = max((finding.level for finding in findings), default=Level.WARN)
    text, code = {
        Level.OK: ("this machine fits the profile", Exit.PASS),
        Level.WARN: ("this machine is not shown to fit the profile", Exit.INCONCLUSIVE),
        Level.BAD: ("this machine does not fit the profile", Exit.FAIL),
    }[worst]
    return Report(
        title=f"{name}: {about}",
        findings=findings,
        conclusion=text,
        reasons=tuple(finding.topic for finding in findings if finding.level is not Level.OK),
        exit_code=code,
    )


_NEEDS_TITLE = "The machine that a sign-off needs"
_MARKS = {Level.OK: ("ok", "green"), Level.WARN: ("warn", "yellow"), Level.BAD: ("bad", "bold red")}


def render(report: Report) -> RenderableType:
    """A table of what was found, and the conclusion below it."""
    table = Table(title=report.title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("found", ratio=2)
    table.add_column("means; what to do", ratio=3)
    for finding in report.findings:
        text, style = _MARKS[finding.level]
        table.add_row(
            Text(text, style=style), Text(finding.topic), Text(finding.found), _meaning(finding)
        )
    lines = [Text(report.conclusion, style="bold")]
    if report.reasons:
        lines.append(Text(f"what stands in the way of more: {', '.join(report.reasons)}"))
    tables = (table, _needs(report.needs)) if report.needs else (table,)
    return Group(*tables, *lines)


def _needs(needs: Sequence[SignoffRequirement]) -> Table:
    table = Table(title=_NEEDS_TITLE, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("needed", ratio=3)
    table.add_column("here", ratio=2)
    for need in needs:
        text, style = _MARKS[Level.OK if need.is_met else Level.WARN]
        table.add_row(
            Text(text if need.is_met else "less", style=style),
            Text(need.name),
            Text(need.needed),
            Text(need.here),
        )
    return table


def _meaning(finding: Finding) -> Text:
    text = Text(finding.means)
    if finding.todo:
        text.append(f"\n→ {finding.todo}", style="cyan")
    return text
