"""Whether the ledger says what was asked, and rows say when they were changed."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.anomalies import Anomaly
from harness.formatting import format_count, format_duration
from harness.judge.anomaly_check import anomaly_check
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.verdict import Verdict
from harness.schedule.content import contents


def check_amounts(case: CheckContext) -> Iterator[Check]:
    """The amount of each TRADE entry is the one that follows from the seed."""
    name = "ledger books what was asked"
    bookings = case.analysis.integrity.ledger_amounts
    if bookings.signals is None:
        yield _not_judged(name, "the amounts were not written down")
        return
    plan = case.plan
    found = bookings.find_mismatches(
        lambda agent, first, size: contents(plan.signals, plan.seed, agent, first, size).amounts_wei
    )
    good = f"the amounts booked for {format_count(bookings.signals, 'signal')} are those asked for"
    yield Check(
        name=name,
        kind=CheckKind.INTEGRITY,
        verdict=Verdict.FAIL if found.count else Verdict.PASS,
        message=f"{format_count(found.count, 'signal')} booked with another amount than asked for"
        if found.count
        else good,
        figures={"differing": found.count} if found.count else {},
        examples=found.traces,
    )


def check_stamps(case: CheckContext) -> Check:
    """A row was changed between the sending of its signal and the commit, by its own word too."""
    name = "row stamps agree with commits"
    stamped = case.analysis.integrity.timestamps
    if stamped is None:
        return _not_judged(name, "the stamps were not written down")
    if not stamped.compared:
        return _not_judged(name, "no row has both a stamp and a known commit time")
    troubles = (
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
    return anomaly_check(case, name, good, troubles)


def _not_judged(name: str, why: str) -> Check:
    return Check(
        name=name, kind=CheckKind.INTEGRITY, verdict=Verdict.PASS, message=f"not judged: {why}"
    )
