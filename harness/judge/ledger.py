"""Whether ledger amounts are those of the plan, and row time stamps match commits."""

from __future__ import annotations

from harness.analysis.anomalies import Anomaly
from harness.formatting import format_count, format_duration
from harness.judge.anomaly_check import anomaly_check
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    ContractPart,
    FinalStatePart,
    NotApplicable,
)
from harness.judge.verdict import Verdict
from harness.schedule.content import contents

LEDGER_AMOUNTS = CheckSpec(
    "ledger_amounts",
    "ledger amounts as requested",
    CheckKind.INTEGRITY,
    fail="a signal is booked with another amount than the seed gives",
    needs=(ContractPart.LEDGER, FinalStatePart.AMOUNTS, FinalStatePart.LEDGER),
)
ROW_TIMESTAMPS = CheckSpec(
    "row_timestamps",
    "row timestamps match commits",
    CheckKind.INTEGRITY,
    fail="a row's time stamp lies before the sending of its signal, or after the commit",
    needs=(ContractPart.TIMESTAMP, FinalStatePart.TIMESTAMPS, FinalStatePart.TASKS),
)


def check_amounts(case: CheckContext) -> Check:
    """The amount of each TRADE entry is the one that follows from the seed."""
    bookings = case.analysis.integrity.ledger_amounts
    if bookings.signals is None:
        return LEDGER_AMOUNTS.not_applicable(
            NotApplicable.NOT_RECORDED, "the run recorded no amounts"
        )
    plan = case.plan
    found = bookings.find_mismatches(
        lambda agent, first, size: contents(plan.signals, plan.seed, agent, first, size).amounts_wei
    )
    good = f"the amounts booked for {format_count(bookings.signals, 'signal')} are those asked for"
    return LEDGER_AMOUNTS.judged(
        Verdict.FAIL if found.count else Verdict.PASS,
        f"{format_count(found.count, 'signal')} booked with another amount than asked for"
        if found.count
        else good,
        {"differing": found.count} if found.count else {},
        found.traces,
    )


def check_stamps(case: CheckContext) -> Check:
    """By its own time stamp a row was changed between the sending of its signal and the commit."""
    stamped = case.analysis.integrity.timestamps
    if stamped is None:
        return ROW_TIMESTAMPS.not_applicable(
            NotApplicable.NOT_RECORDED, "the run recorded no time stamps of rows"
        )
    if not stamped.compared:
        return ROW_TIMESTAMPS.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE, "no row has both a stamp and a known commit time"
        )
    anomalies = (
        (
            Anomaly.STAMP_LATE,
            f"stamped after the commit, by up to {format_duration(stamped.late_ns)}",
        ),
        (
            Anomaly.STAMP_EARLY,
            f"stamped before they were sent, by up to {format_duration(stamped.early_ns)}",
        ),
    )
    good = (
        f"{format_count(stamped.compared, 'row')} stamped between sending and commit,"
        f" to {format_duration(stamped.tolerance_ns)}"
    )
    return anomaly_check(ROW_TIMESTAMPS, case, good, anomalies)
