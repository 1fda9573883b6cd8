"""Whether every signal had exactly the effects that it must have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.analysis.integrity.nonces import NonceRange
from harness.analysis.samples import SignalOutcome
from harness.contract.observation import ObservationMethod
from harness.formatting import format_count
from harness.judge.anomaly_check import anomaly_check
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.unattributed import with_unattributed_rows
from harness.judge.verdict import Verdict


@dataclass(frozen=True, slots=True)
class _Rule:
    """A kind of check that counts what must not be."""

    name: str
    good: str
    troubles: tuple[tuple[Anomaly, str], ...]


# What each trouble means, completing "N signal(s) ...".
_LOSS = _Rule(
    "no signal lost",
    "every accepted signal became final",
    (
        (Anomaly.LOST, "accepted by Redis and never final"),
        (Anomaly.STUCK, "accepted by Redis and stuck in INIT"),
    ),
)
_STRANGE = _Rule(
    "nothing unexpected",
    "nothing became final that was not attempted and accepted",
    (
        (Anomaly.UNEXPECTED, "of this run that nobody attempted, with effects"),
        (Anomaly.REFUSED_BUT_SEEN, "that Redis refused, with effects"),
    ),
)
_LEFT = _Rule(
    "table agrees with what was seen",
    "every FSM row is left in the final state in which it was seen",
    (
        (Anomaly.STATE_CHANGED, "left in another state than the final one that was seen"),
        (Anomaly.ROW_VANISHED, "seen final and without an FSM row in the end"),
    ),
)
# Where nothing leads beyond SIMULATED, since the harness started everything there is.
_LEFT_BEYOND = (Anomaly.STATE_UNKNOWN, "left in a state that nothing on this stack leads to")
_RULES = (
    _LOSS,
    _Rule(
        "no effect twice",
        "no signal had an effect twice",
        (
            (Anomaly.FINAL_TWICE, "that became final more than once"),
            (Anomaly.TWO_ROWS, "with more than one FSM row"),
            (Anomaly.LEDGER_DOUBLED, "booked more than once in the ledger"),
        ),
    ),
    _STRANGE,
    _LEFT,
    _Rule(
        "ledger balanced",
        "each simulated signal is booked once, in one transaction, and nothing else is",
        (
            (Anomaly.LEDGER_MISSING, "simulated and not booked"),
            (Anomaly.LEDGER_INCOMPLETE, "simulated and booked without one of its entries"),
            (Anomaly.LEDGER_BROKEN, "with ledger rows that do not balance"),
            (Anomaly.LEDGER_UNKNOWN_ACCOUNT, "booked on an account that there is not"),
            (Anomaly.LEDGER_UNBALANCED, "with debits that are not their credits"),
            (Anomaly.LEDGER_UNEXPECTED, "booked without being simulated"),
        ),
    ),
)


def check_effects(case: CheckContext) -> Iterator[Check]:
    """That each signal had its effects once, and nothing else had any."""
    trimmed = case.analysis.finding(Anomaly.TRIMMED).count
    for rule in _RULES:
        beyond = (_LEFT_BEYOND,) if rule is _LEFT and case.on_own_servers else ()
        check = anomaly_check(case, rule.name, rule.good, (*rule.troubles, *beyond))
        if rule is _STRANGE:
            check = with_unattributed_rows(case, check)
        if trimmed and rule is _LOSS:
            but = (
                f"{format_count(trimmed, 'signal')} trimmed unread, which is a loss of its own kind"
            )
            check = check.model_copy(update={"message": f"{check.message}, but for {but}"})
        yield check


def check_transitions(case: CheckContext) -> Check:
    """INIT, then one final state."""
    troubles = [(Anomaly.AFTER_FINAL, "went back to INIT from a final state")]
    skipped = case.analysis.finding(Anomaly.WITHOUT_INIT).count
    # A team's system may never show INIT, committing both states at once: nothing was skipped.
    # An observer that was cut off may have missed it.
    observer = case.observer
    whole = observer is not None and observer.gaps == 0
    attached = case.stack.get("kind") == "attach"
    never_shown = attached and skipped >= case.analysis.signals.outcomes().arrived
    if whole and not never_shown:
        troubles.append((Anomaly.WITHOUT_INIT, "reached SIMULATED without INIT before it"))
    good = "every signal went from INIT to one final state and no further"
    if observer is not None and observer.way not in ("", ObservationMethod.LOGICAL):
        good = f"not judged: {observer.way} does not show every state of a signal, the log would"
    elif not whole:
        good = "not judged: nobody knows the states of signals while the observer was cut off"
    elif never_shown and skipped:
        good = "every signal went to one final state and no further; the system shows no INIT"
    return anomaly_check(case, "FSM transitions legal", good, troubles)


def check_order(case: CheckContext) -> Check:
    """Nonces follow the order in which Redis took the signals of an agent."""
    name = "signals of an agent keep their order"
    ordered = case.analysis.integrity.nonce_order
    words = "whose nonces are not in the order in which Redis took them"
    good = (
        f"the nonces of {format_count(ordered.compared, 'signal')} follow the order in which Redis took"
        " those of their agent"
        if ordered.compared
        else "not judged: no signal has both an entry in the stream and a nonce"
    )
    found = anomaly_check(case, name, good, ((Anomaly.ORDER_BROKEN, words),))
    if ordered.crossed_count:
        told = f"; {format_count(ordered.crossed_count, 'time')} agents on one address overtook each other"
        found = found.model_copy(
            update={
                "message": f"{found.message}{told}, which nobody promises not to happen",
                "figures": {**found.figures, "crossed": ordered.crossed_count},
            }
        )
    return found


def check_stale(case: CheckContext) -> Iterator[Check]:
    """What was sent with data too old on purpose was refused for just that."""
    if not case.plan.signals.stale_share:
        return
    name = "stale data refused"
    sent = case.analysis.signals.outcomes().stale
    if not sent:
        yield Check(
            name=name,
            kind=CheckKind.INTEGRITY,
            verdict=Verdict.INCONCLUSIVE,
            message="not judged: no signal could be sent stale, the chain was too young for it",
        )
        return
    troubles = (
        (Anomaly.STALE_SIMULATED, "sent stale on purpose and simulated all the same"),
        (Anomaly.STALE_MISJUDGED, "sent stale on purpose and refused for another reason"),
    )
    good = f"none of the {format_count(sent, 'signal')} sent stale on purpose was simulated"
    yield anomaly_check(case, name, good, troubles)


def check_nonces(case: CheckContext) -> Check:
    """Contiguous and unique per address, and the lock's row says what comes next."""
    found = anomaly_check(
        case,
        "nonces contiguous and unique",
        "",
        (
            (Anomaly.NONCE_REPEATED, "with a nonce that another one of its address has"),
            (Anomaly.NONCE_OUTSIDE, "with a nonce far from its address's others"),
            (Anomaly.NONCE_MISSING, "simulated without a nonce"),
        ),
    )
    removed = case.analysis.finding(Anomaly.ROW_REMOVED).count
    if found.verdict is Verdict.PASS and removed:
        rows = format_count(removed, "row")
        said = f"not judged: {rows} removed by the system, and the nonces with them"
        return found.model_copy(update={"message": said})
    ranges = case.analysis.integrity.final_state.nonces
    gaps = [line for used in ranges for line in _gap_lines(case, used)]
    used = sum(one.used for one in ranges)
    if found.verdict is Verdict.PASS and not gaps:
        said = f"{format_count(used, 'nonce')} over {format_count(len(ranges), 'address', 'addresses')}"
        return found.model_copy(update={"message": f"{said}, without a gap or a repetition"})
    said = "; ".join(part for part in (found.message, *gaps[:3]) if part)
    more = f"; {len(gaps) - 3} more such addresses" if len(gaps) > 3 else ""
    return found.model_copy(
        update={
            "verdict": Verdict.FAIL,
            "message": said + more,
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
    told = next_nonces.get(used.address)
    if told is None:
        yield f"address {address} used nonces and has no row in the nonce table"
    elif told != used.highest + 1:
        yield f"address {address} would be given nonce {told} next, after {used.highest}"
