"""Whether the evidence is what it was when the run ended."""

from __future__ import annotations

from harness.judge.check import Case, Check, Kind
from harness.judge.verdict import Verdict
from harness.judge.words import count

_SHOWN = 3


def check_seal(case: Case) -> Check:
    """A file that was changed, removed or added afterwards makes the run invalid."""
    seal = case.seal
    if seal.files is None:
        # Of a run that should have one, "evidence complete" tells that it is missing.
        return _check(Verdict.PASS, "not judged: there is no seal", ())
    problems = [
        f"{', '.join(names[:_SHOWN])}{' and more' if len(names) > _SHOWN else ''} {words}"
        for names, words in (
            (seal.changed, "changed since the run ended"),
            (seal.missing, "gone since the run ended"),
            (seal.added, "added since the run ended"),
        )
        if names
    ]
    said = "; ".join(problems) or f"{count(seal.files, 'file')} as the run left them"
    verdict = Verdict.INVALID if problems else Verdict.PASS
    return _check(verdict, said, (*seal.changed, *seal.missing, *seal.added))


def _check(verdict: Verdict, said: str, offenders: tuple[str, ...]) -> Check:
    return Check(
        name="evidence as it was sealed",
        kind=Kind.VALIDITY,
        verdict=verdict,
        said=said,
        offenders=offenders[:20],
    )
