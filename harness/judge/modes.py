"""Whether the services count signals as what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.analysis.samples import SignalOutcome
from harness.contract.names import State
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.service_counters import ServiceCounters
from harness.judge.verdict import Verdict

NAME = "modes told as they were"
# Nobody can tell the mode of what cannot be read.
_MODELESS = frozenset({State.OTHER, State.MALFORMED})

OutcomeCounts = Counter[tuple[State, str]]


def check_modes(case: CheckContext) -> Check:
    """The counts of each status and mode grew by as many signals as came to that end."""
    told = case.counters
    if told is None:
        return _check("not judged: the services' metrics were not written down")
    why = _unfit(told) or _unsteady(case, told)
    if why:
        return _check(f"not judged: {why}")
    counted, were = _counted(case, told), _outcome_counts(case)
    lines = [
        f"{state.name} {mode}: {counted[state, mode]:,} counted, {were[state, mode]:,} were"
        for state, mode in sorted(counted.keys() | were.keys())
        if counted[state, mode] != were[state, mode]
    ]
    if not lines:
        return _check(f"{format_count(sum(were.values()), 'signal')} counted as what they were")
    # A signal that is told as another is missing in one place and too much in the other.
    wrong = max((counted - were).total(), (were - counted).total())
    return _check(
        f"{format_count(wrong, 'signal')} counted as what they were not ({'; '.join(lines[:4])})",
        wrong,
        tuple(lines[:EXAMPLES_MAX]),
    )


def _check(said: str, wrong: int = 0, offenders: tuple[str, ...] = ()) -> Check:
    return Check(
        name=NAME,
        kind=CheckKind.INTEGRITY,
        verdict=Verdict.FAIL if wrong else Verdict.PASS,
        message=said,
        figures={"told_otherwise": wrong} if wrong else {},
        examples=offenders,
    )


def _unfit(told: ServiceCounters) -> str:
    """Why the pages say nothing; empty if they do."""
    for name, page in told.before.items():
        after = told.after.get(name)
        if page.signals and (after is None or after.error):
            return f"the page of {name} could not be read after the load"
    counting = [name for name, page in told.after.items() if page.signals is not None]
    if not counting:
        errors = [f"{name}: {page.error}" for name, page in told.after.items() if page.error]
        more = f" ({'; '.join(errors)})" if errors else ""
        return f"no service counts signals by status and mode{more}"
    for name in counting:
        before = told.before.get(name)
        if before is None or before.error:
            return f"the page of {name} could not be read before the load"
    return ""


def _unsteady(case: CheckContext, told: ServiceCounters) -> str:
    """Why growth of the counts is not what became of the signals; empty if it is."""
    shrunk = any(
        number > (told.after[name].signals or {}).get(key, 0)
        for name, page in told.before.items()
        for key, number in (page.signals or {}).items()
    )
    if shrunk or case.run.first_ns("service_restarted") is not None or _restarted(case):
        return "a service was started again, and counts from 0 since then"
    strange = (Anomaly.UNEXPECTED, Anomaly.REFUSED_BUT_SEEN)
    others = case.analysis.evidence.foreign or (case.observer is not None and case.observer.foreign)
    if others or any(case.analysis.finding(kind).count for kind in strange):
        return "signals that this run did not send were counted too"
    account = case.analysis.signals.outcomes()
    if still := account.of(SignalOutcome.IN_FLIGHT) + account.of(SignalOutcome.LOST):
        return f"{format_count(still, 'signal')} had come to no end yet"
    return ""


def _restarted(case: CheckContext) -> bool:
    """By the stack's own account: a run that is broken off may end before it tells of a restart."""
    services = case.stack.get("services")
    told = services.values() if isinstance(services, Mapping) else ()
    return any(isinstance(one, Mapping) and one.get("restarts") for one in told)


def _counted(case: CheckContext, told: ServiceCounters) -> OutcomeCounts:
    found: OutcomeCounts = Counter()
    for pages, sign in ((told.after, 1), (told.before, -1)):
        for page in pages.values():
            for (status, mode), number in (page.signals or {}).items():
                state = case.plan.contract.state(status)
                if state.is_final and state not in _MODELESS:
                    found[state, mode.lower()] += sign * number
    return found


def _outcome_counts(case: CheckContext) -> OutcomeCounts:
    found: OutcomeCounts = Counter()
    for key, cell in case.analysis.signals.cells.items():
        mode = key.mode.name.lower()
        found[State.SIMULATED, mode] += cell.account.arrived
        for state, number in cell.account.rejected_by.items():
            if state not in _MODELESS:
                found[state, mode] += number
    return found
