"""Question 3: do signals wait for the row lock of a nonce (`FOR UPDATE`)?"""

from __future__ import annotations

from collections import Counter

from harness.analysis.resources.telemetry import LockWait
from harness.diagnosis.answers import Answer, Evidence
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.question import Conclusion, DiagnosisQuestion, unknown
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import HOT_SHARE, LOCK_WAITING_SHARE
from harness.formatting import format_milliseconds, format_percent

# A lock with a waiter most of the time serialises the signals, however short each wait is. One
# with a waiter in a fifth of the samples counts where the waits reach a tenth of the limit; on a
# hot address occasional short waits are normal.
NONCE_WAITED_MOST = 0.50
NONCE_WAIT_LIMIT_SHARE = 0.10
# One sample is no pattern.
NONCE_SAMPLES_MIN = 2
# A statement whose mean is a twentieth of the limit is slow: a signal needs some five of them.
STATEMENT_LIMIT_SHARE = 0.05

_WAITERS = "postgres.nonce_waiters_count"
_SHARE = "postgres.nonce_waiting_share"
_WAIT = "postgres.nonce_wait_ms"
_STATEMENT = "postgres.statement_ms."
_IDLE = "idle in transaction"


def _find(context: DiagnosisContext) -> Conclusion:
    waiters = slow_slice(context, _WAITERS)
    if waiters is None:
        return unknown(context.why_unread("PostgreSQL's lock waits", "postgres"))
    # Several samples per second give a share; without them, the one at the end of each second.
    shares = slow_slice(context, _SHARE)
    share = shares.mean if shares else waiters.share_from(1)
    longest_ms = _longest_ms(context)
    message = "no session waited for a row of the nonce table in any sample"
    if share:
        message = (
            f"a session waited for a row of the nonce table in {format_percent(share)} of the"
            f" samples, for up to {format_milliseconds(longest_ms)} by then"
        )
    share_min = _share_min(context, longest_ms)
    evidence = [evidence_of(context, shares or waiters, message, share, share_min)]
    wait = slow_slice(context, _WAIT)
    if wait is not None and share:
        least_ms = NONCE_WAIT_LIMIT_SHARE * context.limit_ms
        longest = f"the longest wait in a sample was {format_milliseconds(wait.peak)}"
        evidence.append(evidence_of(context, wait, longest, wait.peak, least_ms))
    if not _is_significant(context, waiters, share, longest_ms):
        return Conclusion(Answer.NO, f"{message}{_slow_statement(context, evidence)}", evidence)
    baseline = baseline_slice(context, _SHARE)
    if baseline is not None:
        message += f" ({format_percent(baseline.mean)} in the other seconds)"
    waits = _waits(context)
    message += f"{_describe_holders(waits)}{_describe_hot_address(context)}"
    return Conclusion(Answer.YES, message, evidence, _advice(waits))


def busiest_address(context: DiagnosisContext) -> tuple[int, float] | None:
    """The signing address that used the most nonces, and its share of all nonces."""
    used = context.facts.nonces_used
    total = sum(used.values())
    if total == 0 or (len(used) < 2 and context.facts.plan.load.agents_max < 2):
        return None
    address = min(used, key=lambda one: (-used[one], one))
    return address, used[address] / total


def _is_significant(
    context: DiagnosisContext, waiters: SeriesSlice, share: float, longest_ms: float
) -> bool:
    """Whether the waits make signals slow; never where no signal is slow."""
    if not context.slow or waiters.samples_from(1) < NONCE_SAMPLES_MIN:
        return False
    return share >= _share_min(context, longest_ms)


def _share_min(context: DiagnosisContext, longest_ms: float) -> float:
    """The share of samples with a waiter that is significant, given how long the waits are."""
    is_long = longest_ms >= NONCE_WAIT_LIMIT_SHARE * context.limit_ms
    return LOCK_WAITING_SHARE if is_long else NONCE_WAITED_MOST


def _waits(context: DiagnosisContext) -> list[LockWait]:
    """Waits for a nonce row in the analysed time; any `FOR UPDATE` where the table is unknown."""
    every_s = context.telemetry.every_s
    inside = [
        wait
        for wait in context.telemetry.lock_waits
        if any(start <= wait.at_s <= end + every_s for start, end in context.spans)
    ]
    nonces = context.facts.plan.contract.nonces
    table = nonces.table if nonces else ""
    return [
        wait
        for wait in inside
        if wait.for_update and (not wait.relation or wait.relation.split(".")[-1] == table)
    ]


def _longest_ms(context: DiagnosisContext) -> float:
    wait = slow_slice(context, _WAIT)
    waited_ms = [one.waited_ms for one in _waits(context)]
    return max([*waited_ms, wait.peak if wait else 0.0])


def _describe_holders(waits: list[LockWait]) -> str:
    counts = Counter(holder for wait in waits for holder in wait.holders)
    if not counts:
        return ""
    # Of equally frequent ones the first by name, so that a run always gives the same message.
    (state, statement), number = min(counts.items(), key=lambda item: (-item[1], item[0]))
    link = " after" if state.startswith(_IDLE) else ":"
    return (
        f"; the lock holder was {state}{link} `{statement}` in {number} of {counts.total()} samples"
    )


def _describe_hot_address(context: DiagnosisContext) -> str:
    found = busiest_address(context)
    if found is None or found[1] < HOT_SHARE:
        return ""
    return f"; one signing address has {format_percent(found[1])} of the signals"


def _advice(waits: list[LockWait]) -> str:
    advice = (
        "Check (EXPLAIN) that the FOR UPDATE statement finds its row by an index on address and"
        " chain, so that it locks one row, and briefly."
    )
    idle = sum(state.startswith(_IDLE) for wait in waits for state, _ in wait.holders)
    if idle * 2 > sum(len(wait.holders) for wait in waits):
        advice += (
            " The holder was idle with an open transaction: an index does not help there; shorten"
            " what the engine does between lock and commit."
        )
    return (
        advice + " Distribute the signals over more signing addresses where one has most of them."
    )


def _slow_statement(context: DiagnosisContext, evidence: list[Evidence]) -> str:
    """The slowest statement, where statements are slow without a wait for the lock."""
    least_ms = STATEMENT_LIMIT_SHARE * context.limit_ms
    found = []
    for series in context.telemetry.of(_STATEMENT):
        statement = slow_slice(context, series.name)
        if statement is not None and statement.mean >= least_ms:
            found.append(statement)
    if not found or not context.slow:
        return ""
    worst = max(found, key=lambda statement: (statement.mean, statement.series.name))
    kind = worst.series.name.removeprefix(_STATEMENT)
    message = f"statements of kind {kind} took {format_milliseconds(worst.mean)} on average"
    evidence.append(evidence_of(context, worst, message, worst.mean, least_ms))
    return f"; but {message}: PostgreSQL is slow for another reason (CPU, disk, query plan)"


QUESTION = DiagnosisQuestion(
    "nonce_locks", "Do signals wait for the nonce lock (FOR UPDATE)?", _find
)
