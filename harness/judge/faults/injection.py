"""Whether every planned fault took effect and was healed; one without effect proves nothing."""

from __future__ import annotations

from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.evidence.fault_log import FaultRecord
from harness.formatting import format_count, format_duration
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.scenario.fault import PlannedFault

FAULTS_PROVEN = CheckSpec(
    "faults_proven",
    "faults proven and healed",
    CheckKind.VALIDITY,
    invalid="no probe saw a planned fault take hold, hold to its end, and be over: a fault without"
    " effect proves nothing",
)
_EXAMPLES_MAX = 20
_HINT = "see the reason and faults.jsonl; at_s and for_s must end within the measured load"


def check_faults(case: CheckContext) -> Iterator[Check]:
    """That each fault was proven and proven healed; nothing where none was planned or recorded."""
    planned, recorded = case.scenario.planned_faults(), case.analysis.faults.records or ()
    if not planned and not recorded:
        return
    records = {record.number: record for record in recorded}
    t0_ns = case.plan.t0_ns
    end_ns = t0_ns + case.scenario.load.measured_stretches_ns()[-1][1]
    problems = [
        f"{one.kind} of {one.target} at {one.at_ns / NS_PER_S:.1f} s: {problem}"
        for one in planned
        for problem in _problems(one, records.get(one.number), t0_ns, end_ns)
    ]
    unplanned = records.keys() - {one.number for one in planned}
    if unplanned or len(records) < len(recorded):
        problems.append("faults.jsonl has faults that the scenario does not plan")
    message = "; ".join(problems[:5]) or _format_passed(recorded)
    yield FAULTS_PROVEN.valid_unless(
        [Problem(message, _HINT)] if problems else [],
        message,
        {"planned": len(planned), "unproven": len(problems)},
        tuple(problems[:_EXAMPLES_MAX]),
    )


def _problems(
    planned: PlannedFault, record: FaultRecord | None, t0_ns: int, end_ns: int
) -> Iterator[str]:
    """What is wrong with a fault; the measured load ends at `end_ns`."""
    if record is None:
        yield "it has no record"
    elif (record.kind, record.target, record.peer) != (
        planned.kind,
        planned.target,
        planned.peer,
    ) or (record.planned_ns, record.for_ns) != (t0_ns + planned.at_ns, planned.for_ns):
        yield "its record is of another fault"
    elif record.injected_ns is None:
        yield f"it was not injected ({record.trouble or 'the reason is not known'})"
    else:
        if record.injected_ns < record.planned_ns:
            yield "it was injected before its time"
        elif record.injected_ns >= end_ns:
            yield "it was injected only when the measured load was over"
        yield from _unproven(record)


def _unproven(record: FaultRecord) -> Iterator[str]:
    """What was not seen of a fault that was injected."""
    trouble = f" ({record.trouble})" if record.trouble else ""
    if record.proven_ns is None:
        yield f"it was never seen to take hold{trouble}"
    elif record.for_ns and record.held_ns is None:
        yield f"it did not hold to its end{trouble}"
    elif record.held_ns is not None and record.held_ns < record.planned_ns + record.for_ns:
        yield "it was healed before its end"
    elif trouble:
        yield record.trouble
    if record.heal_proven_ns is None:
        yield f"it was never seen to be over{trouble}"


def _format_passed(recorded: tuple[FaultRecord, ...]) -> str:
    """How many, and the longest that one took to be seen."""
    took = [r.proven_ns - r.injected_ns for r in recorded if r.proven_ns and r.injected_ns]
    healed = [r.heal_proven_ns - r.healed_ns for r in recorded if r.heal_proven_ns and r.healed_ns]
    return (
        f"{format_count(len(recorded), 'fault')} seen to take hold, within"
        f" {format_duration(max(took, default=0))},"
        f" and to be over, within {format_duration(max(healed, default=0))}"
    )
