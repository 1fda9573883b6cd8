"""A sign-off as text: for a terminal, and how to verify it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.assessment.signoff import (
    CriterionResult,
    CriterionStatus,
    Decision,
    Reason,
    ReasonId,
    SignoffResult,
)
from harness.formatting import format_bytes, format_count, format_duration_fixed, format_number
from harness.judge.check import Figure

_DECISION_STYLES = {
    Decision.SIGNED_OFF: "bold white on green",
    Decision.NOT_SIGNED_OFF: "bold white on red",
    Decision.INDICATIVE: "bold black on yellow",
}
_STATUS_STYLES = {
    CriterionStatus.MET: "green",
    CriterionStatus.NOT_MET: "bold red",
    CriterionStatus.UNKNOWN: "bold yellow",
    CriterionStatus.WAIVED: "bold cyan",
}
_EXAMPLES_SHOWN = 3
_WAIVER_STATES = {
    "applied": "applied",
    "expired": "expired before the sign-off began, so it does not count",
    "not_needed": "not needed",
}


def render_signoff(result: SignoffResult, folder: Path, archive: Path, root: str) -> RenderableType:
    """Decision, every criterion, what is waived, the grade, and where the archive is."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("criterion", "status", "figures", "why"):
        table.add_column(head)
    for one in result.criteria:
        why = "" if one.answer is CriterionStatus.MET else why_text(one.reasons)
        table.add_row(
            one.id,
            Text(words(one.status), style=_STATUS_STYLES[one.status]),
            figures_text(one.deciding.figures if one.deciding else {}),
            why,
        )
    parts: list[RenderableType] = [
        Text(),
        Text.assemble(
            (f" {words(result.decision)} ", _DECISION_STYLES[result.decision]),
            (f"  {headline(result)}", "bold"),
        ),
        Text(),
        Padding(table, (0, 0, 0, 2)),
    ]
    for title, lines in (("waivers", waiver_lines(result)), ("grade", grade_lines(result))):
        if lines:
            parts += [Text(), Text(title, style="bold cyan")]
            parts += [Text(f"  - {line}") for line in lines]
    return Group(
        *parts,
        Text(),
        Text(f"document: {folder / 'signoff.html'}", style="dim"),
        Text(f"archive:  {archive}", style="dim"),
        Text(f"root:     {root}", style="dim"),
        Text(f"verify with: harness signoff verify {archive}", style="dim"),
    )


def words(value: CriterionStatus | Decision) -> str:
    """A status or a decision as people read it: `NOT MET`."""
    return value.value.replace("_", " ")


def headline(result: SignoffResult) -> str:
    """How many criteria have each status: `5 of 6 criteria are MET, 1 is WAIVED`."""
    counts = {
        status: sum(one.status is status for one in result.criteria) for status in CriterionStatus
    }
    met = counts.pop(CriterionStatus.MET)
    others = [f"{count} {words(status)}" for status, count in counts.items() if count]
    total = format_count(len(result.criteria), "criterion", "criteria")
    return ", ".join([f"{met} of {total} MET", *others])


def why_text(reasons: Sequence[Reason]) -> str:
    """The first reason, with the first signals or other things that it names."""
    if not reasons:
        return ""
    named = ", ".join(reasons[0].examples[:_EXAMPLES_SHOWN])
    return f"{reasons[0].message}; first: {named}" if named else reasons[0].message


def why_lines(result: SignoffResult) -> tuple[str, ...]:
    """Every reason against a sign-off but the grades."""
    return tuple(
        f"{one.criterion}: {why_text([one])}"
        for one in result.reasons
        if one.id is not ReasonId.GRADE
    )


def grade_lines(result: SignoffResult) -> tuple[str, ...]:
    """What keeps the runs of the criteria that are MET from a sign-off."""
    every = ", ".join(one.id for one in result.criteria)
    return tuple(
        f"{one.message} ({'every criterion' if one.criterion == every else one.criterion})"
        for one in result.reasons
        if one.id is ReasonId.GRADE
    )


def waiver_lines(result: SignoffResult) -> tuple[str, ...]:
    """Every waiver with its reason, who answers for it, until when, and whether it counts."""
    return tuple(
        f"{criterion.id}, {words(criterion.answer)}: {waiver.reason}; {waiver.who}, until"
        f" {waiver.until}; {_WAIVER_STATES[waiver.state]}"
        for criterion, waiver in result.waivers
    )


def image_lines(result: SignoffResult) -> tuple[str, ...]:
    """Each image that ran, by its digest in a registry, or by its id where it has none."""
    return tuple(
        f"{one.service}: {one.image}, {', '.join(one.repo_digests) or one.image_id}"
        for one in result.images
    ) or (f"none: the {result.stack} stack records none",)


def host_lines(result: SignoffResult) -> tuple[str, ...]:
    """Each host with the commit of the harness, and the number of runs there."""
    return tuple(
        f"{one.cpu_model or 'unknown CPU'}, {one.cpus or 'unknown number of'} CPUs,"
        f" {'unknown memory' if one.memory_bytes is None else format_bytes(one.memory_bytes)};"
        f" kernel {one.kernel or 'unknown'}; commit {(one.commit or 'unknown')[:12]}"
        f"{', modified' if one.modified else ''}; {format_count(one.runs, 'run')}"
        for one in result.hosts
    )


def attempt_text(criterion: CriterionResult) -> str:
    """`1`, or `3: the first 2 were invalid or aborted`."""
    count = len(criterion.attempts)
    deciding = criterion.deciding
    if deciding is None or count < 2:
        return str(count)
    return f"{count}, number {deciding.number} answers"


def figures_text(figures: Mapping[str, Figure]) -> str:
    """The figures of an attempt on one line."""
    return ", ".join(_figure_texts(figures))


def _figure_texts(figures: Mapping[str, Figure]) -> Iterator[str]:
    for name, value in figures.items():
        if not isinstance(value, int | float):
            continue
        label, unit = _split(name)
        if unit == "ns":
            yield f"{label} {format_duration_fixed(value)}"
        elif unit == "per_s":
            yield f"{label} {value:g}/s"
        else:
            yield f"{label} {format_number(value)}"


def _split(name: str) -> tuple[str, str]:
    """The name of a figure as words, and its unit."""
    for unit in ("per_s", "ns"):
        if name.endswith(f"_{unit}"):
            return name.removesuffix(f"_{unit}").replace("_", " "), unit
    return name.replace("_", " "), ""


def verify_instructions(result: SignoffResult) -> str:
    """VERIFY.md: how to check the sign-off without believing whoever sent it."""
    name = result.signoff_id
    return f"""# How to verify {name}

This folder has the policy as it was before anything ran (`policy.toml`, `signoff-plan.json`), the
journal of every attempt (`journal.jsonl`), the raw evidence of every run (`attempts/`), and the
result (`signoff.json`, `signoff.html`). `manifest.json` has the SHA-256 of every file and one root
hash over all of them. Results of single runs are not here: they follow from the evidence.

    harness signoff verify {name}.tar.gz
    harness signoff verify {name}.tar.gz --public-key KEY.pub

The command reads the archive as untrusted input, needs no network and no system under test, and
judges every attempt again. It says MATCHES (exit code 0), or names each difference (exit code 4).
Use the version of the harness that made it: {result.harness}. With a public key it also checks the
signature in `{name}.dsse.json` (an in-toto statement in a DSSE envelope), which lies beside the
archive.

Without the harness: the root hash is the SHA-256 of the table `sha256` of `manifest.json` as JSON
with sorted keys and without blanks.

    python3 -c 'import hashlib, json; m = json.load(open("manifest.json"))["sha256"]
    print(hashlib.sha256(json.dumps(m, sort_keys=True, separators=(",", ":")).encode()).hexdigest())
    print([f for f in m if hashlib.sha256(open(f, "rb").read()).hexdigest() != m[f]])'

Each run of an attempt has a seed that follows from the plan, the criterion and the number of the
attempt: the first 62 bits of the SHA-256 of these three, a line each, with the plan as the SHA-256
of `signoff-plan.json`. The plan has the SHA-256 of the policy. Evidence of another policy, another
sign-off or another attempt therefore has another schedule of signals, and does not pass.
"""
