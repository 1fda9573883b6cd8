"""A run that was ended early must have had its reason, by the evidence."""

from __future__ import annotations

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.judge.objectives import check_objective
from harness.judge.verdict import Status

ABORTED = "aborted"
ABORT_JUSTIFIED = CheckSpec(
    "abort_justified",
    "abort justified",
    CheckKind.VALIDITY,
    invalid="the load was ended by `abort_on_fail`, and no such objective fails by the evidence",
)


def check_aborted(case: CheckContext) -> Iterator[Check]:
    """That an objective which was to end the run has failed; nothing to say of other runs."""
    events = [event for event in case.run.events if event.kind == ABORTED]
    if not events:
        return
    watched = [promise.parsed for promise in case.scenario.slos() if promise.abort_on_fail]
    failed = [
        check.name
        for objective in watched
        for check in check_objective(case, objective)
        if check.status is Status.FAIL
    ]
    at_s = (events[0].mono_ns - case.plan.t0_ns) / NS_PER_S
    message = f"the load was ended at {at_s:.1f} s, because of {events[0].what}"
    message += (
        "; the evidence says so too" if failed else "; the evidence does not say that it failed"
    )
    hint = "run again without abort_on_fail: the evidence of a whole load decides"
    problems = [] if failed else [Problem(message, hint)]
    yield ABORT_JUSTIFIED.valid_unless(problems, message, {"at_s": at_s})
