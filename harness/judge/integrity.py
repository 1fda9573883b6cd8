"""Whether every signal had exactly the effects that it must have."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.analysis.integrity.nonces import NonceRange
from harness.analysis.samples import SignalOutcome
from harness.contract.observation import ObservationMethod
from harness.formatting import format_count
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
from harness.judge.verdict import Status, Verdict

# Each check with its anomalies; a text completes "N signal(s) ...".
_Anomalies = tuple[tuple[Anomaly, str], ...]

SIGNALS_LOST = CheckSpec(
    "signals_lost",
    "no lost signals",
    CheckKind.INTEGRITY,
    fail="a signal that Redis accepted never became final",
    needs=(FinalStatePart.OUTCOME, FinalStatePart.STATUS),
)
_LOST: _Anomalies = (
    (Anomaly.LOST, "accepted by Redis and never final"),
    (Anomaly.STUCK, "accepted by Redis and stuck in INIT"),
)
EFFECTS_DUPLICATED = CheckSpec(
    "effects_duplicated",
    "no duplicate effects",
    CheckKind.INTEGRITY,
    fail="a signal became final twice, has two FSM rows, or is booked twice",
    needs=(FinalStatePart.TASKS, FinalStatePart.LEDGER),
    contract_hints=(
        (
            Anomaly.LEDGER_DOUBLED,
            "if a signal may have several entries, set ledger.entries = 'many' in the contract",
        ),
    ),
)
_DUPLICATED: _Anomalies = (
    (Anomaly.FINAL_TWICE, "that became final more than once"),
    (Anomaly.TWO_ROWS, "with more than one FSM row"),
    (Anomaly.LEDGER_DOUBLED, "booked more than once in the ledger"),
)
EFFECTS_UNEXPECTED = CheckSpec(
    "effects_unexpected",
    "no unexpected effects",
    CheckKind.INTEGRITY,
    fail="a signal that was not attempted, or that Redis refused, has effects. On servers that the"
    " harness started, also rows with a trace id of no signal of the run",
    needs=(FinalStatePart.TASKS,),
)
_UNEXPECTED: _Anomalies = (
    (Anomaly.UNEXPECTED, "of this run that was not attempted, with effects"),
    (Anomaly.REFUSED_BUT_SEEN, "that Redis refused, with effects"),
)
FINAL_ROWS_MATCH = CheckSpec(
    "final_rows_match",
    "final rows match observations",
    CheckKind.INTEGRITY,
    fail="an FSM row is left in another state than the final one that was observed, or is gone",
    needs=(FinalStatePart.TASKS,),
    contract_hints=(
        (
            Anomaly.ROW_VANISHED,
            "if final rows are moved or deleted, set tasks.archive or tasks.kept in the contract",
        ),
    ),
)
_LEFT: _Anomalies = (
    (Anomaly.STATE_CHANGED, "left in another state than the final one that was observed"),
    (Anomaly.ROW_VANISHED, "observed final and without an FSM row in the end"),
)
# Where nothing leads beyond SIMULATED, since the harness started all services.
_LEFT_BEYOND = (Anomaly.STATE_UNKNOWN, "left in a state that nothing on this stack leads to")
LEDGER_BALANCED = CheckSpec(
    "ledger_balanced",
    "ledger balanced",
    CheckKind.INTEGRITY,
    fail="a simulated signal is not booked once, completely and balanced, or another one is booked",
    needs=(ContractPart.LEDGER, FinalStatePart.LEDGER, FinalStatePart.OUTCOME),
)
_UNBALANCED: _Anomalies = (
    (Anomaly.LEDGER_MISSING, "simulated and not booked"),
    (Anomaly.LEDGER_INCOMPLETE, "simulated and booked without one of its entries"),
    (Anomaly.LEDGER_BROKEN, "with ledger rows that do not balance"),
    (Anomaly.LEDGER_UNKNOWN_ACCOUNT, "booked on an account that does not exist"),
    (Anomaly.LEDGER_UNBALANCED, "with debits that are not their credits"),
    (Anomaly.LEDGER_UNEXPECTED, "booked without being simulated"),
)
EFFECTS = (
    SIGNALS_LOST,
    EFFECTS_DUPLICATED,
    EFFECTS_UNEXPECTED,
    FINAL_ROWS_MATCH,
    LEDGER_BALANCED,
)
FSM_TRANSITIONS = CheckSpec(
    "fsm_transitions",
    "legal FSM transitions",
    CheckKind.INTEGRITY,
    fail="a signal went back to INIT from a final state, or reached SIMULATED without INIT",
)
NONCE_ORDER = CheckSpec(
    "nonce_order",
    "nonces in stream order per agent",
    CheckKind.INTEGRITY,
    fail="the nonces of an agent's signals do not follow their order in the stream",
    needs=(ContractPart.NONCE, FinalStatePart.TASKS),
)
STALE_REFUSED = CheckSpec(
    "stale_refused",
    "deliberately stale signals rejected",
    CheckKind.INTEGRITY,
    fail="a signal that was sent stale on purpose was simulated, or rejected for another reason",
    inconclusive="no signal could be sent stale: the chain was too young",
    needs=(ContractPart.CHAIN, FinalStatePart.OUTCOME, FinalStatePart.STATUS),
)
NONCES_CONTIGUOUS = CheckSpec(
    "nonces_contiguous",
    "nonces contiguous and unique",
    CheckKind.INTEGRITY,
    fail="an address skipped or repeated a nonce, or its row does not name the next one",
    needs=(ContractPart.NONCE, FinalStatePart.TASKS, FinalStatePart.NONCES),
    contract_hints=(
        (
            Anomaly.NONCE_KEPT,
            "some rows have a nonce and are not simulated: if it is assigned at intake,"
            " set nonces.taken_at = 'intake' in the contract",
        ),
    ),
)


def check_effects(case: CheckContext) -> Iterator[Check]:
    """That each signal had its effects once, and nothing else had any."""
    lost = anomaly_check(SIGNALS_LOST, case, "every accepted signal became final", _LOST)
    if trimmed := case.analysis.finding(Anomaly.TRIMMED).count:
        message = (
            f"{lost.message}, except {format_count(trimmed, 'signal')} trimmed unread,"
            " which another check counts"
        )
        lost = lost.model_copy(update={"message": message})
    yield lost
    yield anomaly_check(EFFECTS_DUPLICATED, case, "no signal had an effect twice", _DUPLICATED)
    good = "nothing became final that was not attempted and accepted"
    yield _with_unattributed_rows(case, anomaly_check(EFFECTS_UNEXPECTED, case, good, _UNEXPECTED))
    good = "every FSM row is left in the final state in which it was observed"
    beyond = (_LEFT_BEYOND,) if case.on_own_servers else ()
    yield anomaly_check(FINAL_ROWS_MATCH, case, good, (*_LEFT, *beyond))
    good = "each simulated signal is booked once, in one transaction, and nothing else is"
    yield anomaly_check(LEDGER_BALANCED, case, good, _UNBALANCED)


def _with_unattributed_rows(case: CheckContext, check: Check) -> Check:
    """The check of unexpected effects, with rows that belong to no signal of the run.

    Where others use the servers too, their rows are not checked.
    """
    if not case.is_dedicated:
        return check
    rows = case.final.unattributed
    parts = []
    if rows is not None and rows.tasks:
        parts.append(format_count(rows.tasks, "FSM row"))
    if rows is not None and rows.ledger:
        parts.append(format_count(rows.ledger, "ledger row"))
    # Observed during the run, whether or not they are left in the table.
    seen = case.analysis.evidence.foreign + (case.observer.foreign if case.observer else 0)
    if not parts and seen:
        parts.append(format_count(seen, "row version"))
    if not parts:
        return check
    message = f"{' and '.join(parts)} of no signal of this run, on servers without other users"
    if not check.status.is_clean:
        message = f"{check.message}; {message}"
    return check.model_copy(
        update={
            "status": Status.FAIL,
            "message": message,
            "figures": {
                **check.figures,
                "strange_tasks": rows.tasks if rows else None,
                "strange_ledger_rows": rows.ledger if rows else None,
            },
            "examples": (*check.examples, *(rows.traces if rows else ()))[:EXAMPLES_MAX],
        }
    )


def check_transitions(case: CheckContext) -> Check:
    """INIT, then one final state."""
    anomalies = [(Anomaly.AFTER_FINAL, "went back to INIT from a final state")]
    skipped = case.analysis.finding(Anomaly.WITHOUT_INIT).count
    # An external system may never show INIT, since it commits both states at once: nothing was
    # skipped. An observer that was cut off may have missed it.
    observer = case.observer
    gapless = observer is not None and observer.gaps == 0
    attached = case.stack.get("kind") == "attach"
    never_shown = attached and skipped >= case.analysis.signals.outcomes().arrived
    if gapless and not never_shown:
        anomalies.append((Anomaly.WITHOUT_INIT, "reached SIMULATED without INIT before it"))
    good = "every signal went from INIT to one final state and no further"
    if never_shown and skipped:
        good = "every signal went to one final state and no further; the system shows no INIT"
    check = anomaly_check(FSM_TRANSITIONS, case, good, anomalies)
    if not check.status.is_clean:
        return check
    if observer is not None and observer.way not in ("", ObservationMethod.LOGICAL):
        return check.not_applicable(
            NotApplicable.METHOD,
            f"{observer.way} does not show every state of a signal; logical replication does",
        )
    if not gapless:
        return check.not_applicable(
            NotApplicable.OBSERVER_GAP,
            "the states of signals are unknown for the time in which the observer was cut off",
        )
    return check


def check_order(case: CheckContext) -> Check:
    """Nonces follow the order in which Redis accepted the signals of an agent."""
    ordered = case.analysis.integrity.nonce_order
    text = "whose nonces are not in the order in which Redis accepted them"
    good = (
        f"the nonces of {format_count(ordered.compared, 'signal')} follow the order in which Redis"
        " accepted those of their agent"
    )
    check = anomaly_check(NONCE_ORDER, case, good, ((Anomaly.ORDER_BROKEN, text),))
    if not ordered.compared and check.status.is_clean:
        check = check.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE,
            "no signal has both an entry in the stream and a nonce",
        )
    if ordered.crossed_count:
        crossed = format_count(ordered.crossed_count, "time")
        check = check.model_copy(
            update={
                "message": f"{check.message}; {crossed} agents on one address overtook each other,"
                " which is allowed",
                "figures": {**check.figures, "crossed": ordered.crossed_count},
            }
        )
    return check


def check_stale(case: CheckContext) -> Iterator[Check]:
    """Signals that were sent stale on purpose were rejected for that reason."""
    if not case.plan.signals.stale_share:
        return
    sent = case.analysis.signals.outcomes().stale
    if not sent:
        yield STALE_REFUSED.judged(
            Verdict.INCONCLUSIVE, "no signal could be sent stale, the chain was too young for it"
        )
        return
    anomalies = (
        (Anomaly.STALE_SIMULATED, "sent stale on purpose and simulated all the same"),
        (Anomaly.STALE_MISJUDGED, "sent stale on purpose and rejected for another reason"),
    )
    good = f"none of the {format_count(sent, 'signal')} sent stale on purpose was simulated"
    yield anomaly_check(STALE_REFUSED, case, good, anomalies)


def check_nonces(case: CheckContext) -> Check:
    """Contiguous and unique per address, and the row of the nonce lock names the next one."""
    found = anomaly_check(
        NONCES_CONTIGUOUS,
        case,
        "",
        (
            (Anomaly.NONCE_REPEATED, "with a nonce that another one of its address has"),
            (Anomaly.NONCE_OUTSIDE, "with a nonce far from its address's others"),
            (Anomaly.NONCE_MISSING, "simulated without a nonce"),
        ),
    )
    removed = case.analysis.finding(Anomaly.ROW_REMOVED).count
    if found.status.is_clean and removed:
        rows = format_count(removed, "row")
        return found.not_applicable(
            NotApplicable.ROWS_REMOVED, f"{rows} removed by the system, and the nonces with them"
        )
    ranges = case.analysis.integrity.final_state.nonces
    gaps = [line for used in ranges for line in _gap_lines(case, used)]
    used = sum(one.used for one in ranges)
    if found.status.is_clean and not gaps:
        addresses = format_count(len(ranges), "address", "addresses")
        message = f"{format_count(used, 'nonce')} over {addresses}, without a gap or a repetition"
        return found.model_copy(update={"message": message})
    message = "; ".join(part for part in (found.message, *gaps[:3]) if part)
    more = f"; {len(gaps) - 3} more such addresses" if len(gaps) > 3 else ""
    return found.model_copy(
        update={
            "status": Status.FAIL,
            "message": message + more,
            "figures": {**found.figures, "addresses_with_gaps": len(gaps)},
            "examples": (*found.examples, *gaps)[:EXAMPLES_MAX],
        }
    )


def _gap_lines(case: CheckContext, used: NonceRange) -> Iterator[str]:
    address = case.plan.addresses().text(used.address)
    if used.gap_count:
        first = ", ".join(str(gap) for gap in used.gaps[:3])
        yield f"address {address} skipped {format_count(used.gap_count, 'nonce')} (first: {first})"
        return
    next_nonces = case.final.next_nonces
    still_open = case.analysis.signals.outcomes().of(SignalOutcome.IN_FLIGHT)
    if next_nonces is None or still_open:
        return
    following = next_nonces.get(used.address)
    if following is None:
        yield f"address {address} used nonces and has no row in the nonce table"
    elif following != used.highest + 1:
        yield f"address {address} would be given nonce {following} next, after {used.highest}"
