"""The sentence that a result begins with."""

from __future__ import annotations

from harness.judge.check import Check, Kind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict


def headline(judgement: Judgement) -> str:
    """What decided; of a PASS the first duration that was promised."""
    deciding = [
        check
        for check in judgement.checks
        if check.verdict is judgement.verdict
        and (judgement.verdict is not Verdict.PASS or _is_duration(check))
    ]
    if judgement.verdict is Verdict.INVALID:
        # What happened comes before what could not be promised because of it.
        deciding.sort(key=lambda check: check.kind is not Kind.VALIDITY)
    said = deciding[0].said if deciding else "every check is clean"
    if judgement.verdict is Verdict.PASS and judgement.grade.level == "indicative":
        said += _horizon_words(judgement.horizon_s)
    return said


def _horizon_words(horizon_s: float | None) -> str:
    """The rarest event that a run of this length can vouch for."""
    if horizon_s is None:
        return ""
    return f"; it vouches for what happens at least every {horizon_s:.0f} s"


def _is_duration(check: Check) -> bool:
    return check.kind is Kind.OBJECTIVE and "limit_ns" in check.figures
