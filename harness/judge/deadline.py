"""Whether every signal was final by the drain deadline."""

from __future__ import annotations

from harness.analysis.anomalies import Anomaly
from harness.analysis.faults.fault_windows import RECOVERY_LIMIT_NS
from harness.clock import NS_PER_S
from harness.formatting import format_count
from harness.judge.advice import ONE_RUN
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, NotApplicable
from harness.judge.host_interference import starved_by_runs
from harness.judge.verdict import Verdict

DRAIN_DEADLINE = CheckSpec(
    "drain_deadline",
    "final states by the drain deadline",
    CheckKind.OBJECTIVE,
    fail="signals became final only after `load.drain_s`, by their commit times",
    invalid="the same while other runs of a harness left no core of the host idle",
    inconclusive="signals were seen after the deadline, and may have been final before it",
)


def check_deadline(case: CheckContext) -> Check:
    """No signal became final only after the deadline; one that never did is lost, another check."""
    run, drain_s = case.run, case.plan.load.drain_s
    if not run.drain_deadline_ns:
        return DRAIN_DEADLINE.not_applicable(
            NotApplicable.DRAIN_SKIPPED, "the run ended before its drain began"
        )
    at_s = (run.drain_deadline_ns - case.plan.t0_ns) / NS_PER_S
    deadline = f"the drain deadline, {drain_s:g} s after the load's end (at {at_s:.1f} s)"
    seen = case.analysis.finding(Anomaly.SEEN_LATE)
    proven = case.analysis.finding(Anomaly.COMMITTED_LATE)
    verdict, found, hint = Verdict.PASS, seen, ""
    message = f"no signal became final after {deadline}"
    if proven.count:
        verdict, found = Verdict.FAIL, proven
        message = f"{format_count(proven.count, 'signal')} became final only after {deadline}"
        if others := starved_by_runs(
            case, last_ns=RECOVERY_LIMIT_NS, until_ns=run.drain_deadline_ns
        ):
            verdict, hint = Verdict.INVALID, ONE_RUN
            message += f"; {others}"
    elif seen.count:
        verdict = Verdict.INCONCLUSIVE
        message = (
            f"{format_count(seen.count, 'signal')} seen after {deadline}, and perhaps final before:"
            " the observer was too slow to decide"
        )
    return DRAIN_DEADLINE.judged(
        verdict,
        message,
        {
            "late": proven.count,
            "seen_late": seen.count,
            "drain_s": drain_s,
            "deadline_s": at_s,
        },
        examples=found.traces,
        hint=hint,
    )
