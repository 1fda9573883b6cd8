"""Objectives of how soon the system recovers from a disturbance."""

from __future__ import annotations

from harness.analysis.faults.fault_windows import find_disruptions
from harness.analysis.faults.recovery import NORMAL_MIN
from harness.analysis.measurement import RecoveryFigures
from harness.formatting import format_count, format_duration
from harness.judge.check import Check, CheckContext, Figure
from harness.judge.scope import objective_spec
from harness.judge.verdict import Verdict, worst
from harness.scenario import Objective


def check_recovery(case: CheckContext, objective: Objective) -> Check:
    """That after each disturbance signals are SIMULATED again, and none is overdue, in time."""
    limit_ns = objective.limit_ns or 0
    found = case.measurement.recoveries
    if not found:
        message = "there was no disturbance to recover from"
        hint = "plan a fault: [[fault]] in a scenario"
        return _check(objective, Verdict.INVALID, message, hint=hint)
    verdict = worst(_verdict(one, limit_ns) for one in found)
    happened = len(find_disruptions(case.run.events, case.analysis.faults.records or ()))
    shown = max((one for one in found if _verdict(one, limit_ns) is verdict), key=_at_least_ns)
    message = f"after {shown.what or shown.kind} (at {shown.at_s:.1f} s) {_format_recovery(shown)}"
    message += f"; the limit is {format_duration(limit_ns)}"
    if len(found) > 1:
        message += f"; the worst of {format_count(len(found), 'disturbance')}"
    if happened > len(found):
        verdict |= Verdict.INCONCLUSIVE
        message += f"; the {happened - len(found)} after them are not analyzed"
    return _check(
        objective,
        verdict,
        message,
        {
            "disturbances": len(found),
            "first_ns": shown.first_ns,
            "backlog_ns": shown.backlog_ns,
            "normal_ns": shown.normal_ns,
            "limit_ns": limit_ns,
        },
        "plan the fault with signals due before and after it: a later at_s, or a longer load",
    )


def _verdict(one: RecoveryFigures, limit_ns: int) -> Verdict:
    if _at_least_ns(one) >= limit_ns:
        return Verdict.FAIL
    if not one.sent_after or one.normal_ns is None:
        return Verdict.INVALID  # nothing to compare with, which is not the system's fault
    if one.first_ns is None or one.backlog_ns is None:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


def _at_least_ns(one: RecoveryFigures) -> int:
    """What is known of the recovery at least; nothing where the comparison is missing."""
    first_ns = one.watched_ns if one.first_ns is None and one.sent_after else one.first_ns or 0
    if one.backlog_ns is not None:
        return max(first_ns, one.backlog_ns)
    return first_ns if one.normal_ns is None else max(first_ns, one.watched_ns)


def _format_recovery(one: RecoveryFigures) -> str:
    if not one.sent_after:
        first = "no signal was due"
    elif one.first_ns is None:
        first = f"no signal was SIMULATED within {format_duration(one.watched_ns)}"
    else:
        first = f"the first signal was SIMULATED within {format_duration(one.first_ns)}"
    if one.normal_ns is None:
        return f"{first}; fewer than {NORMAL_MIN} signals before it show what is normal"
    normal = f"overdue (older than {format_duration(one.normal_ns)})"
    if one.backlog_ns is None:
        watched = format_duration(one.watched_ns)
        return f"{first}, and signals were {normal} to the end, {watched} later"
    return f"{first}, and from {format_duration(one.backlog_ns)} on none was {normal}"


def _check(
    objective: Objective,
    verdict: Verdict,
    message: str,
    figures: dict[str, Figure] | None = None,
    hint: str = "",
) -> Check:
    return objective_spec(objective).judged(
        verdict, message, figures, hint=hint if verdict is Verdict.INVALID else ""
    )
