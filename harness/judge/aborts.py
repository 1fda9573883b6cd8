"""Whether the evidence confirms why a run was ended early."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.capacity.backlog import backlog_grows
from harness.analysis.capacity.measured_backlog import measured_backlog
from harness.clock import NS_PER_S
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.judge.objectives import check_objective
from harness.judge.verdict import Status

ABORTED = "aborted"
ABORT_JUSTIFIED = CheckSpec(
    "abort_justified",
    "abort justified",
    CheckKind.VALIDITY,
    invalid="the load was ended by `abort_on_fail` or `abort_on_overload`, and by the evidence no"
    " such objective fails and the backlog does not grow",
)


def check_aborted(case: CheckContext) -> Iterator[Check]:
    """What ended the load is so by the evidence; no check without an abort."""
    events = [event for event in case.run.events if event.kind == ABORTED]
    if not events:
        return
    aborting = [slo.parsed for slo in case.scenario.slos() if slo.abort_on_fail]
    failed = [
        check.name
        for objective in aborting
        for check in check_objective(case, objective)
        if check.status is Status.FAIL
    ]
    if case.scenario.load.abort_on_overload and _overloaded(case):
        failed.append("backlog")
    at_s = (events[0].mono_ns - case.plan.t0_ns) / NS_PER_S
    message = f"the load was ended at {at_s:.1f} s, because of {events[0].what}"
    message += f"; the evidence {'confirms' if failed else 'does not confirm'} it"
    hint = "run again without what ends the load: the evidence of a whole load decides"
    problems = [] if failed else [Problem(message, hint)]
    yield ABORT_JUSTIFIED.valid_unless(problems, message, {"at_s": at_s})


def _overloaded(case: CheckContext) -> bool:
    """Whether the backlog certainly grew until sending ended."""
    end_ns = case.run.load_end_ns - case.plan.t0_ns if case.run.load_end_ns else None
    seconds = case.measurement.seconds
    return backlog_grows(*measured_backlog(seconds, case.scenario.load, end_ns))
