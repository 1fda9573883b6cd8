"""The sentence that a result begins with."""

from __future__ import annotations

from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict

HORIZON = "; it covers events that occur at least every {horizon} s"


def headline(judgement: Judgement) -> str:
    """The message of the deciding check; of a PASS, of the first objective with a duration."""
    found = deciding_check(judgement)
    message = found.message if found else "every check passes"
    horizon = covered_s(judgement)
    return f"{message}{HORIZON.format(horizon=horizon)}" if horizon else message


def covered_s(judgement: Judgement) -> str:
    """Of an indicative PASS, how rare an event a run of this length covers; else empty."""
    passes = judgement.verdict is Verdict.PASS and judgement.grade.level == "indicative"
    if not passes or judgement.horizon_s is None:
        return ""
    return f"{judgement.horizon_s:.0f}"


def format_confidence(check: Check) -> str:
    """The confidence of each bound of a check: `98.8 %` where there were interim analyses."""
    value = check.figures.get("confidence")
    return f"{100 * value:.3g} %" if isinstance(value, float) else "95 %"


def deciding_check(judgement: Judgement) -> Check | None:
    """The check that decided the verdict; of a PASS the first duration, if there is one."""
    found = [
        check
        for check in judgement.checks
        if check.status.verdict is judgement.verdict
        and (judgement.verdict is not Verdict.PASS or _is_duration(check))
    ]
    if judgement.verdict is Verdict.INVALID:
        # The cause comes before the objectives that it makes undecidable.
        found.sort(key=lambda check: check.kind is not CheckKind.VALIDITY)
    return found[0] if found else None


def _is_duration(check: Check) -> bool:
    return check.kind is CheckKind.OBJECTIVE and "limit_ns" in check.figures
