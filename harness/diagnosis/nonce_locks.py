"""Question 3: do signals wait for the row lock of a nonce (`FOR UPDATE`)?"""

from __future__ import annotations

from collections import Counter

from harness.analysis.resources.telemetry import LockWait
from harness.diagnosis.answers import Answer, Evidence, Question, unknown_answer
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import (
    HOT_SHARE,
    NONCE_SAMPLES_MIN,
    NONCE_WAIT_LIMIT_SHARE,
    NONCE_WAITED_MOST,
    NONCE_WAITED_OFTEN,
    STATEMENT_LIMIT_SHARE,
)
from harness.formatting import format_milliseconds, format_percent

KEY = "nonce_locks"
ASKS = "Do signals wait for the nonce lock (FOR UPDATE)?"
_WAITERS = "postgres.nonce_waiters_count"
_SHARE = "postgres.nonce_waiting_share"
_WAIT = "postgres.nonce_wait_ms"
_STATEMENT = "postgres.statement_ms."
_IDLE = "idle in transaction"


def ask_nonce_locks(subject: DiagnosisContext) -> Question:
    """Answer it."""
    waiters = slow_slice(subject, _WAITERS)
    if waiters is None:
        return unknown_answer(KEY, ASKS, _missing(subject))
    looks = slow_slice(subject, _SHARE)
    # Several looks a second say how often; one at each second's end has to do where there is none.
    often = looks.mean if looks else waiters.share_from(1)
    longest_ms = _longest_ms(subject)
    said = "no session was seen waiting for a row of the nonce table"
    if often:
        said = (
            f"a session waited for a row of the nonce table in {format_percent(often)} of the looks,"
            f" at most for {format_milliseconds(longest_ms)} when it was seen"
        )
    evidence = [
        evidence_of(subject, looks or waiters, said, often, _often_least(subject, longest_ms))
    ]
    wait = slow_slice(subject, _WAIT)
    if wait is not None and often:
        least_ms = NONCE_WAIT_LIMIT_SHARE * subject.limit_ms
        longest = f"the longest wait was {format_milliseconds(wait.peak)} old when it was seen"
        evidence.append(evidence_of(subject, wait, longest, wait.peak, least_ms))
    if not _weighs(subject, waiters, often, longest_ms):
        slow = _slow_statement(subject, evidence)
        return Question(
            key=KEY,
            asks=ASKS,
            answer=Answer.NO,
            message=subject.sentence(f"{said}{slow}"),
            evidence=tuple(evidence),
        )
    calm = baseline_slice(subject, _SHARE)
    if calm is not None:
        said += f" (in the other seconds in {format_percent(calm.mean)})"
    waits = _waits(subject)
    return Question(
        key=KEY,
        asks=ASKS,
        answer=Answer.YES,
        message=subject.sentence(f"{said}{_holders(waits)}{_hot(subject)}"),
        evidence=tuple(evidence),
        advice=_advice(waits),
    )


def busiest_address(subject: DiagnosisContext) -> tuple[int, float] | None:
    """The signing address that took the most nonces, and its share of all of them."""
    used = subject.facts.nonces_used
    total = sum(used.values())
    if total == 0 or (len(used) < 2 and not _all_on_one(subject)):
        return None
    address = min(used, key=lambda one: (-used[one], one))
    return address, used[address] / total


def _all_on_one(subject: DiagnosisContext) -> bool:
    return subject.facts.plan.load.agents_max > 1


def _weighs(
    subject: DiagnosisContext, waiters: SeriesSlice, often: float, longest_ms: float
) -> bool:
    """Whether the waits make signals slow; where none is slow, they do not."""
    if not subject.slow or waiters.samples_from(1) < NONCE_SAMPLES_MIN:
        return False
    return often >= _often_least(subject, longest_ms)


def _often_least(subject: DiagnosisContext, longest_ms: float) -> float:
    """How often somebody must have been waiting, given how long the waits are."""
    long = longest_ms >= NONCE_WAIT_LIMIT_SHARE * subject.limit_ms
    return NONCE_WAITED_OFTEN if long else NONCE_WAITED_MOST


def _waits(subject: DiagnosisContext) -> list[LockWait]:
    """Waits for a nonce row in the time that matters; all `FOR UPDATE` where no table is told."""
    every_s = subject.telemetry.every_s
    inside = [
        wait
        for wait in subject.telemetry.lock_waits
        if any(start <= wait.at_s <= end + every_s for start, end in subject.spans)
    ]
    nonces = subject.facts.plan.contract.nonces
    table = nonces.table if nonces else ""
    return [
        wait
        for wait in inside
        if wait.for_update and (not wait.relation or wait.relation.split(".")[-1] == table)
    ]


def _longest_ms(subject: DiagnosisContext) -> float:
    wait = slow_slice(subject, _WAIT)
    told = [one.waited_ms for one in _waits(subject)]
    return max([*told, wait.peak if wait else 0.0])


def _holders(waits: list[LockWait]) -> str:
    counted = Counter(holder for wait in waits for holder in wait.holders)
    if not counted:
        return ""
    # Of equally frequent ones the first by name, so that the same run says the same.
    (state, statement), number = min(counted.items(), key=lambda item: (-item[1], item[0]))
    doing = f"{state} after `{statement}`" if state.startswith(_IDLE) else f"{state}: `{statement}`"
    return (
        f"; whoever held it was, in {number} of {sum(counted.values())} cases, {doing or 'unknown'}"
    )


def _hot(subject: DiagnosisContext) -> str:
    found = busiest_address(subject)
    if found is None or found[1] < HOT_SHARE:
        return ""
    return f"; one signing address takes {format_percent(found[1])} of the signals"


def _advice(waits: list[LockWait]) -> str:
    advice = (
        "See that the FOR UPDATE statement finds its row by an index on address and chain"
        " (EXPLAIN), so that it locks one row and holds it briefly."
    )
    idle = sum(state.startswith(_IDLE) for wait in waits for state, _ in wait.holders)
    if idle * 2 > sum(len(wait.holders) for wait in waits):
        advice += (
            " The holder left its transaction open and did something else: no index helps there,"
            " shorten what the engine does between lock and commit."
        )
    return advice + " Spread signals over more signing addresses where one takes most of them."


def _slow_statement(subject: DiagnosisContext, evidence: list[Evidence]) -> str:
    """Of statements that are slow without anybody waiting for the lock."""
    least_ms = STATEMENT_LIMIT_SHARE * subject.limit_ms
    found = []
    for track in subject.telemetry.of(_STATEMENT):
        taken = slow_slice(subject, track.name)
        if taken is not None and taken.mean >= least_ms:
            found.append(taken)
    if not found or not subject.slow:
        return ""
    worst = max(found, key=lambda taken: (taken.mean, taken.track.name))
    kind = worst.track.name.removeprefix(_STATEMENT)
    said = f"statements of kind {kind} took {format_milliseconds(worst.mean)} on average"
    evidence.append(evidence_of(subject, worst, said, worst.mean, least_ms))
    return f"; but {said}, so PostgreSQL is slow for another reason (its CPU, its disk, a plan)"


def _missing(subject: DiagnosisContext) -> str:
    telemetry = subject.telemetry
    if not telemetry.present:
        return "this run kept no telemetry"
    reasons = [why for name, why in sorted(telemetry.unread.items()) if name.startswith("postgres")]
    return "PostgreSQL's lock waits were not read" + "".join(f"; {one}" for one in reasons)
