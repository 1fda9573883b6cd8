"""Whether the evidence is what it was when the run, or the group of runs, ended."""

from __future__ import annotations

from harness.evidence.manifest import ManifestCheck
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.verdict import Verdict

_SHOWN = 3
_HINT = "put back the files as they were, from a copy; else run again"


def check_seal(case: CheckContext) -> Check:
    """A file that was changed, removed or added afterwards makes the run invalid."""
    # Of a run that should have a seal, "evidence complete" tells that it is missing.
    return seal_check("evidence as it was sealed", case.seal, "run")


def seal_check(name: str, seal: ManifestCheck, whose: str, *, is_due: bool = False) -> Check:
    """What became of sealed files.

    Args:
        name: of the check.
        seal: the files held against their seal.
        whose: "run" or "group".
        is_due: whether there must be a seal.
    """
    if seal.files is None:
        said = "the seal is missing" if is_due else "not judged: there is no seal"
        return _check(name, Verdict.INVALID if is_due else Verdict.PASS, said, ())
    problems = [
        f"{', '.join(names[:_SHOWN])}{' and more' if len(names) > _SHOWN else ''} {words}"
        for names, words in (
            (seal.changed, f"changed since the {whose} ended"),
            (seal.missing, f"gone since the {whose} ended"),
            (seal.added, f"added since the {whose} ended"),
        )
        if names
    ]
    said = "; ".join(problems) or f"{format_count(seal.files, 'file')} as the {whose} left them"
    verdict = Verdict.INVALID if problems else Verdict.PASS
    return _check(name, verdict, said, (*seal.changed, *seal.missing, *seal.added))


def _check(name: str, verdict: Verdict, said: str, offenders: tuple[str, ...]) -> Check:
    return Check(
        name=name,
        kind=CheckKind.VALIDITY,
        verdict=verdict,
        message=said,
        examples=offenders[:20],
        hint=_HINT if verdict is Verdict.INVALID else "",
    )
