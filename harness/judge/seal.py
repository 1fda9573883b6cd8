"""Whether the evidence is what it was when the run, or the group of runs, ended."""

from __future__ import annotations

from harness.evidence.manifest import ManifestCheck
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, NotApplicable, Problem
from harness.judge.verdict import Verdict

_SHOWN = 3
_HINT = "put back the files as they were, from a copy; else run again"


EVIDENCE_SEALED = CheckSpec(
    "evidence_sealed",
    "evidence unchanged since sealing",
    CheckKind.VALIDITY,
    invalid="a file was changed, removed or added after the run ended",
)


def check_seal(case: CheckContext) -> Check:
    """A file that was changed, removed or added after the run makes it invalid."""
    # Of a run that should have a seal, `evidence_complete` reports a missing one.
    return seal_check(EVIDENCE_SEALED, case.seal, "run")


def seal_check(
    spec: CheckSpec, seal: ManifestCheck, owner: str, *, is_required: bool = False
) -> Check:
    """Whether sealed files are unchanged.

    Args:
        spec: what the check is.
        seal: the files compared with their seal.
        owner: "run" or "group".
        is_required: whether there must be a seal.
    """
    if seal.files is None and not is_required:
        return spec.not_applicable(NotApplicable.NOT_RECORDED, "there is no seal")
    if seal.files is None:
        return spec.judged(Verdict.INVALID, "the seal is missing", hint=_HINT)
    problems = [
        Problem(
            f"{', '.join(names[:_SHOWN])}{' and more' if len(names) > _SHOWN else ''} {text}", _HINT
        )
        for names, text in (
            (seal.changed, f"changed since the {owner} ended"),
            (seal.missing, f"gone since the {owner} ended"),
            (seal.added, f"added since the {owner} ended"),
        )
        if names
    ]
    examples = (*seal.changed, *seal.missing, *seal.added)[:20]
    good = f"{format_count(seal.files, 'file')} as the {owner} left them"
    return spec.valid_unless(problems, good, examples=examples)
