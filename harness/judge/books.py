"""Whether the ledger says what was asked, and rows say when they were changed."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.check import Case, Check, Kind
from harness.judge.counting import counted
from harness.judge.verdict import Verdict
from harness.judge.words import count, duration
from harness.load.content import contents
from harness.measure.notes import Trouble


def check_amounts(case: Case) -> Iterator[Check]:
    """The amount of each TRADE entry is the one that follows from the seed."""
    name = "ledger books what was asked"
    bookings = case.gathered.bookings
    if bookings.signals is None:
        yield _unjudged(name, "the amounts were not written down")
        return
    plan = case.plan
    found = bookings.differing(
        lambda agent, first, size: contents(plan.signals, plan.seed, agent, first, size).amounts_wei
    )
    good = f"the amounts booked for {count(bookings.signals, 'signal')} are those asked for"
    yield Check(
        name=name,
        kind=Kind.INTEGRITY,
        verdict=Verdict.FAIL if found.count else Verdict.PASS,
        said=f"{count(found.count, 'signal')} booked with another amount than asked for"
        if found.count
        else good,
        figures={"differing": found.count} if found.count else {},
        offenders=found.traces,
    )


def check_stamps(case: Case) -> Check:
    """A row was changed between the sending of its signal and the commit, by its own word too."""
    name = "row stamps agree with commits"
    stamped = case.gathered.stamped
    if stamped is None:
        return _unjudged(name, "the stamps were not written down")
    if not stamped.compared:
        return _unjudged(name, "no row has both a stamp and a known commit time")
    troubles = (
        (Trouble.STAMP_LATE, f"stamped after the commit, by up to {duration(stamped.late_ns)}"),
        (
            Trouble.STAMP_EARLY,
            f"stamped before they were sent, by up to {duration(stamped.early_ns)}",
        ),
    )
    good = (
        f"{count(stamped.compared, 'row')} stamped between sending and commit,"
        f" to {duration(stamped.tolerance_ns)}"
    )
    return counted(case, name, good, troubles)


def _unjudged(name: str, why: str) -> Check:
    return Check(name=name, kind=Kind.INTEGRITY, verdict=Verdict.PASS, said=f"not judged: {why}")
