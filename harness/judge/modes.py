"""Whether the services count signals with the mode and status that they had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.analysis.samples import SignalOutcome
from harness.contract.names import State
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, NotApplicable
from harness.judge.service_counters import ServiceCounters
from harness.judge.verdict import Verdict

MODE_COUNTERS = CheckSpec(
    "mode_counters",
    "service counters match signal modes",
    CheckKind.INTEGRITY,
    fail="a service counts signals with another mode or status than they had",
)
_NotApplicable = tuple[NotApplicable, str]
# The mode of an unreadable signal is unknown.
_MODELESS = frozenset({State.OTHER, State.MALFORMED})

OutcomeCounts = Counter[tuple[State, str]]


def check_modes(case: CheckContext) -> Check:
    """The counters of each status and mode grew by the number of signals with that outcome."""
    counters = case.counters
    if counters is None:
        return MODE_COUNTERS.not_applicable(
            NotApplicable.NOT_RECORDED, "the services' metrics were not recorded"
        )
    reason = _unreadable(counters) or _not_comparable(case, counters)
    if reason is not None:
        return MODE_COUNTERS.not_applicable(*reason)
    counted, actual = _counted(case, counters), _outcome_counts(case)
    lines = [
        f"{state.name} {mode}: {counted[state, mode]:,} counted, {actual[state, mode]:,} were"
        for state, mode in sorted(counted.keys() | actual.keys())
        if counted[state, mode] != actual[state, mode]
    ]
    if not lines:
        good = f"{format_count(sum(actual.values()), 'signal')} counted with their mode and status"
        return MODE_COUNTERS.judged(Verdict.PASS, good)
    # A signal that is counted as another is missing in one place and surplus in the other.
    wrong = max((counted - actual).total(), (actual - counted).total())
    return MODE_COUNTERS.judged(
        Verdict.FAIL,
        f"{format_count(wrong, 'signal')} counted with another mode or status"
        f" ({'; '.join(lines[:4])})",
        {"told_otherwise": wrong},
        lines[:EXAMPLES_MAX],
    )


def _unreadable(counters: ServiceCounters) -> _NotApplicable | None:
    """Why the metrics pages give no counts; None if they do."""
    for name, page in counters.before.items():
        after = counters.after.get(name)
        if page.signals and (after is None or after.error):
            why = f"the metrics page of {name} could not be read after the load"
            return NotApplicable.UNREADABLE, why
    counting = [name for name, page in counters.after.items() if page.signals is not None]
    if not counting:
        errors = [f"{name}: {page.error}" for name, page in counters.after.items() if page.error]
        more = f" ({'; '.join(errors)})" if errors else ""
        why = f"no service counts signals by status and mode{more}"
        return NotApplicable.UNREADABLE if errors else NotApplicable.NOT_RECORDED, why
    for name in counting:
        before = counters.before.get(name)
        if before is None or before.error:
            why = f"the metrics page of {name} could not be read before the load"
            return NotApplicable.UNREADABLE, why
    return None


def _not_comparable(case: CheckContext, counters: ServiceCounters) -> _NotApplicable | None:
    """Why the growth of the counters is not the number of outcomes; None if it is."""
    shrunk = any(
        number > (counters.after[name].signals or {}).get(key, 0)
        for name, page in counters.before.items()
        for key, number in (page.signals or {}).items()
    )
    if shrunk or case.run.first_ns("service_restarted") is not None or _restarted(case):
        return NotApplicable.RESTART, "a service was restarted, and its counters with it"
    unexpected = (Anomaly.UNEXPECTED, Anomaly.REFUSED_BUT_SEEN)
    others = case.analysis.evidence.foreign or (case.observer is not None and case.observer.foreign)
    if others or any(case.analysis.finding(kind).count for kind in unexpected):
        why = "the counters include signals that this run did not send"
        return NotApplicable.FOREIGN_SIGNALS, why
    account = case.analysis.signals.outcomes()
    if still := account.of(SignalOutcome.IN_FLIGHT) + account.of(SignalOutcome.LOST):
        return NotApplicable.IN_FLIGHT, f"{format_count(still, 'signal')} without an outcome yet"
    return None


def _restarted(case: CheckContext) -> bool:
    """By the stack's own counters: an interrupted run may end before it reports a restart."""
    services = case.stack.get("services")
    facts = services.values() if isinstance(services, Mapping) else ()
    return any(isinstance(one, Mapping) and one.get("restarts") for one in facts)


def _counted(case: CheckContext, counters: ServiceCounters) -> OutcomeCounts:
    found: OutcomeCounts = Counter()
    for pages, sign in ((counters.after, 1), (counters.before, -1)):
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
