"""What could not be read was not judged; only what was seen to be wrong is a violation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.analysis.anomalies import Anomaly
from harness.analysis.samples import SignalOutcome
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.verdict import Verdict

_NAMED_MAX = 5
_HINT = "the login needs SELECT on every table that the contract names, until the run is over"
# Beside parts of the final state: how each signal ended, and what its status stands for.
_END, _STATUS = "end", "status"
# What each check rests on.
_NEEDS = {
    "no signal lost": (_END, _STATUS),
    "no effect twice": ("tasks", "ledger"),
    "nothing unexpected": ("tasks",),
    "table agrees with what was seen": ("tasks",),
    "ledger balanced": ("ledger", _END),
    "ledger books what was asked": ("bookings", "ledger"),
    "nonces contiguous and unique": ("tasks", "nonces"),
    "signals of an agent keep their order": ("tasks",),
    "stale data refused": (_END, _STATUS),
    "row stamps agree with commits": ("stamps", "tasks"),
}
_HINT_STATUS = "name these statuses in [states] of the contract"
# Figures of what looks wrong where rows are hidden; all others are of rows that were seen.
_MISSING = (
    *(Anomaly.ROW_VANISHED, Anomaly.LEDGER_MISSING, Anomaly.LEDGER_INCOMPLETE),
    *(Anomaly.LEDGER_BROKEN, Anomaly.LEDGER_UNBALANCED, Anomaly.LEDGER_UNKNOWN_ACCOUNT),
    Anomaly.LEDGER_UNEXPECTED,
)
_OF_MISSING_ROWS = frozenset((*map(str, _MISSING), "addresses_with_gaps", "differing"))


def mark_unreadable(case: CheckContext, check: Check) -> Check:
    """The check, or in its place the word that it was not made, and why."""
    needs = _NEEDS.get(check.name, ())
    why = "; ".join(_reasons(case, needs, failed=check.verdict is Verdict.FAIL))
    proven = check.verdict is Verdict.FAIL and check.figures.keys() - _OF_MISSING_ROWS
    if not why or proven or check.kind is not CheckKind.INTEGRITY:
        return check
    return check.not_judged(why)


def check_read(case: CheckContext) -> Check:
    """That everything was read that the verdict rests on."""
    sight, unnamed = (
        case.analysis.integrity.coverage,
        case.analysis.finding(Anomaly.STATE_UNMAPPED),
    )
    problems = []
    if sight.has_read_errors:
        parts: dict[str, list[str]] = {}
        for part, why in sight.unread.items():
            parts.setdefault(why, []).append(part)
        reasons = "; ".join(f"{', '.join(names)}: {why}" for why, names in parts.items())
        problems.append(f"could not be read: {reasons}; {_HINT}")
    if sight.filtered and any(case.analysis.finding(kind).count for kind in _MISSING):
        problems += [_hidden(case, part) for part in sight.filtered]
    problems += list(_reasons(case, (_END, _STATUS), failed=False))
    return Check(
        name="final state read",
        kind=CheckKind.VALIDITY,
        verdict=Verdict.INVALID if problems else Verdict.PASS,
        message="; ".join(dict.fromkeys(problems))
        or "every table that the contract names was read",
        figures={"unnamed": unnamed.count} if unnamed.count else {},
        examples=unnamed.traces,
        hint=(_HINT_STATUS if unnamed.count else _HINT) if problems else "",
    )


def _reasons(case: CheckContext, needs: Iterable[str], *, failed: bool) -> Iterator[str]:
    """Why a check cannot be made.

    Args:
        case: what is judged.
        needs: what it rests on.
        failed: whether it found something that hidden rows explain.
    """
    sight = case.analysis.integrity.coverage
    for need in needs:
        if need == _END:
            if number := _unread_outcome_count(case):
                why = sight.unread.get("tasks") or _hidden(case, "tasks")
                yield f"nobody could read how {format_count(number, 'signal')} ended ({why})"
        elif need == _STATUS:
            if number := case.analysis.finding(Anomaly.STATE_UNMAPPED).count:
                yield f"{format_count(number, 'signal')} left in a status without a name{_words(case)}"
        elif need in sight.unread:
            yield f"{need} could not be read: {sight.unread[need]}"
        elif need in sight.filtered and failed:
            yield _hidden(case, need)


def _unread_outcome_count(case: CheckContext) -> int:
    """Accepted signals of which nobody could read how they ended."""
    gathered = case.analysis
    return (
        0
        if gathered.integrity.coverage.complete
        else gathered.signals.outcomes().of(SignalOutcome.IN_FLIGHT)
    )


def _hidden(case: CheckContext, part: str) -> str:
    return (
        f"row-level security may hide rows of {case.analysis.integrity.coverage.filtered.get(part, part)} from"
        " the login of the contract; give it BYPASSRLS, or a policy that shows the run's rows"
    )


def _words(case: CheckContext) -> str:
    """The statuses that the contract does not name, most frequent first, with their rows."""
    states = case.plan.contract.states
    told = Counter({word: n for word, n in case.final.statuses.items() if word not in states})
    named = ", ".join(f"{word!r} ({n:,})" for word, n in told.most_common(_NAMED_MAX))
    more = ", ..." if len(told) > _NAMED_MAX else ""
    return (
        f": {named}{more}; write in [states] of the contract what each stands for: INIT,"
        " SIMULATED, BEYOND or a rejection"
    )
