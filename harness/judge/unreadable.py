"""A check does not apply where its input could not be read; violations that were read remain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.analysis.anomalies import Anomaly
from harness.analysis.samples import SignalOutcome
from harness.formatting import format_count
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    ContractPart,
    FinalStatePart,
    NotApplicable,
)
from harness.judge.verdict import Status, Verdict

_NAMED_MAX = 5
_HINT = "the login needs SELECT on every table that the contract names, until the run is over"
FINAL_STATE_READ = CheckSpec(
    "final_state_read",
    "final state read",
    CheckKind.VALIDITY,
    invalid="a table could not be read in the end. Row-level security hides rows that are missed."
    " Signals are left in a status that the contract does not name. Checks that need what could"
    " not be read are NOT_APPLICABLE; violations in what was read are a FAIL all the same",
)
_OUTCOMES = (FinalStatePart.OUTCOME, FinalStatePart.STATUS)
_HINT_STATUS = "name these statuses in [states] of the contract"
# Anomalies that hidden rows can cause; all others are of rows that were read.
_MISSING = (
    *(Anomaly.ROW_VANISHED, Anomaly.LEDGER_MISSING, Anomaly.LEDGER_INCOMPLETE),
    *(Anomaly.LEDGER_BROKEN, Anomaly.LEDGER_UNBALANCED, Anomaly.LEDGER_UNKNOWN_ACCOUNT),
    Anomaly.LEDGER_UNEXPECTED,
)
_OF_MISSING_ROWS = frozenset((*map(str, _MISSING), "addresses_with_gaps", "differing"))


def mark_unreadable(case: CheckContext, spec: CheckSpec | None, check: Check) -> Check:
    """The check, or NOT_APPLICABLE in its place where what it rests on could not be read."""
    needs = spec.needs if spec is not None else ()
    why = "; ".join(_reasons(case, needs, failed=check.status is Status.FAIL))
    proven = check.status is Status.FAIL and check.figures.keys() - _OF_MISSING_ROWS
    if not why or proven:
        return check
    return check.not_applicable(NotApplicable.UNREADABLE, why)


def check_read(case: CheckContext) -> Check:
    """Everything was read that the verdict rests on."""
    coverage = case.analysis.integrity.coverage
    unmapped = case.analysis.finding(Anomaly.STATE_UNMAPPED)
    problems = []
    if coverage.has_read_errors:
        parts: dict[str, list[str]] = {}
        for part, why in coverage.unread.items():
            parts.setdefault(why, []).append(part)
        reasons = "; ".join(f"{', '.join(names)}: {why}" for why, names in parts.items())
        problems.append(f"could not be read: {reasons}; {_HINT}")
    if coverage.filtered and any(case.analysis.finding(kind).count for kind in _MISSING):
        problems += [_hidden(case, part) for part in coverage.filtered]
    problems += list(_reasons(case, _OUTCOMES, failed=False))
    return FINAL_STATE_READ.judged(
        Verdict.INVALID if problems else Verdict.PASS,
        "; ".join(dict.fromkeys(problems)) or "every table that the contract names was read",
        {"unnamed": unmapped.count} if unmapped.count else {},
        unmapped.traces,
        hint=(_HINT_STATUS if unmapped.count else _HINT) if problems else "",
    )


def _reasons(
    case: CheckContext, needs: Iterable[ContractPart | FinalStatePart], *, failed: bool
) -> Iterator[str]:
    """Why a check cannot be made.

    Args:
        case: what is judged.
        needs: what it rests on.
        failed: whether it found something that hidden rows explain.
    """
    coverage = case.analysis.integrity.coverage
    for need in needs:
        if isinstance(need, ContractPart):
            continue
        if need is FinalStatePart.OUTCOME:
            if number := _unread_outcome_count(case):
                why = coverage.unread.get("tasks") or _hidden(case, "tasks")
                yield f"the outcome of {format_count(number, 'signal')} could not be read ({why})"
        elif need is FinalStatePart.STATUS:
            if number := case.analysis.finding(Anomaly.STATE_UNMAPPED).count:
                signals = format_count(number, "signal")
                yield f"{signals} left in a status without a name{_unmapped_statuses(case)}"
        elif need in coverage.unread:
            yield f"{need} could not be read: {coverage.unread[need]}"
        elif need in coverage.filtered and failed:
            yield _hidden(case, need)


def _unread_outcome_count(case: CheckContext) -> int:
    """Accepted signals whose outcome could not be read."""
    analysis = case.analysis
    return (
        0
        if analysis.integrity.coverage.complete
        else analysis.signals.outcomes().of(SignalOutcome.IN_FLIGHT)
    )


def _hidden(case: CheckContext, part: str) -> str:
    return (
        "row-level security may hide rows of"
        f" {case.analysis.integrity.coverage.filtered.get(part, part)} from"
        " the login of the contract; give it BYPASSRLS, or a policy that shows the run's rows"
    )


def _unmapped_statuses(case: CheckContext) -> str:
    """The statuses that the contract does not name, most frequent first, with their rows."""
    states = case.plan.contract.states
    found = Counter({name: n for name, n in case.final.statuses.items() if name not in states})
    named = ", ".join(f"{name!r} ({n:,})" for name, n in found.most_common(_NAMED_MAX))
    more = ", ..." if len(found) > _NAMED_MAX else ""
    return (
        f": {named}{more}; write in [states] of the contract what each means: INIT,"
        " SIMULATED, BEYOND or a rejection"
    )
