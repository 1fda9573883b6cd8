"""What names and values of a foreign system probably mean; pure.

A contract is proposed from these guesses, and a person confirms each: a word that is missing here
costs a line of typing, never a wrong verdict, because every check of `harness attach --check` and
of a run follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from harness.contract.ledger import EntryRole
from harness.contract.names import State

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

# Names of columns, fields and keys of messages, the most specific first.
TRACE = (
    *("trace_id", "signal_id", "client_ref", "order_id", "trade_id", "request_id", "trace", "ref"),
    *("reference", "uuid", "id"),
)
STATUS = ("status", "state", "phase", "stage")
NONCE = (
    *("nonce", "next_nonce", "last_nonce", "next_seq", "last_seq", "seq", "sequence"),
    "sequence_number",
)
ADDRESS = ("address", "wallet", "signer", "acct", "account", "sender")
CHAIN_ID = ("chain_id", "chain")
UPDATED = ("updated_at", "touched_at", "modified_at", "changed_at", "touched", "updated")
CREATED = ("created_at", "inserted_at", "received_at", "created")
BOOKING = ("internal_tx_id", "booking_id", "booking", "batch_id", "batch", "tx_id")
AMOUNT = ("amount_in", "amount", "minor_units", "units", "size", "quantity", "qty", "value")
DEBIT = ("debit_account_id", "debit_account", "debit")
CREDIT = ("credit_account_id", "credit_account", "credit")
SIDE = ("side", "dc", "direction", "debit_credit")
ENTRY_TYPE = ("entry_type", "kind", "type", "what", "category")
BLOCK = (
    *("last_sync_block", "sync_block", "block_number", "block", "height", "head", "number"),
    *("level", "seen", "tide", "h"),
)
TIME = ("timestamp_ms", "timestamp", "sent_at", "sent", "created_at", "time", "ts")
STRATEGY = ("strategy_id", "strategy", "book")
AGENT = ("agent_id", "agent")

# Words in names of tables and streams.
TASK_TABLE = ("trade", "task", "order", "job", "signal", "proposal", "request")
NONCE_TABLE = ("nonce", "lock", "wallet", "account", "address", "signer")
LEDGER_TABLE = ("ledger", "entry", "entries", "posting", "postings", "booking", "fill", "fills")
ARCHIVE_TABLE = ("archive", "archived", "history", "old")
INTAKE_STREAM = ("proposal", "signal", "order", "intake", "trade", "request", "job", "task")
CHAIN_STREAM = ("chain", "block", "height", "head", "tide")
RESULT_STREAM = ("result", "done", "report", "accounting", "event")

_STATES: tuple[tuple[State, tuple[str, ...]], ...] = (
    (State.STALE_DATA_ERROR, ("stale", "outdated", "expired")),
    (State.SIMULATION_TIMEOUT, ("timeout", "timed")),
    (State.SIMULATION_UNAVAILABLE, ("unavailable",)),
    (State.MALFORMED, ("malformed", "invalid", "unreadable")),
    (State.INVARIANT_BROKEN, ("invariant", "limit", "refused", "rejected", "denied", "risk")),
    (State.SIMULATED, ("simulated", "filled", "done", "completed", "complete", "approved")),
    (
        State.BEYOND,
        ("signed", "signing", "broadcast", "broadcasted", "confirmed", "reverted", "routed",
           "settled", "executed", "sent", "submitted", "closed", "mined"),
    ),
    (State.INIT, ("init", "new", "queued", "accepted", "pending", "received", "created", "open")),
)  # fmt: skip
_ROLES: tuple[tuple[EntryRole, tuple[str, ...]], ...] = (
    ("GAS_FEE", ("gas",)),
    ("PROTOCOL_FEE", ("protocol", "fee", "venue", "commission")),
    ("TRADE", ("trade", "fill", "swap", "principal")),
)


def parts_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `orderId`, `order_id` and `Order ID` are alike."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def first_match(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """The name that is one of `wanted`, the first of these that occurs; None without one."""
    by_words: dict[str, str] = {}
    for name in names:
        by_words.setdefault("_".join(parts_of(name)), name)
    return next((by_words[word] for word in wanted if word in by_words), None)


def score(name: str, words: Sequence[str]) -> int:
    """How well a name fits to words, in the singular or plural; 0 if none of them is in it."""
    parts = {part for one in parts_of(name) for part in (one, one.removesuffix("s"))}
    return next((len(words) - at for at, word in enumerate(words) if word in parts), 0)


def states_of(values: Iterable[str]) -> dict[str, State]:
    """The state that each status probably stands for; statuses of unknown words are left out."""
    found: dict[str, State] = {}
    for value in values:
        state = State.__members__.get(value.upper())
        if state is None or state is State.OTHER:
            words = set(parts_of(value))
            state = next((one for one, known in _STATES if words & {*known}), None)
        if state is not None:
            found[value] = state
    return found


def entry_types_of(values: Iterable[str]) -> dict[EntryRole, str]:
    """The value for each kind of entry, as far as values have its words."""
    found: dict[EntryRole, str] = {}
    for value in values:
        words = set(parts_of(value))
        role = next((one for one, known in _ROLES if words & {*known}), None)
        if role is not None:
            found.setdefault(role, value)
    return found


def sides_of(values: Iterable[str]) -> Mapping[str, str]:
    """The values for a debit and a credit, as `debit` and `credit`; empty unless both are known."""
    found: dict[str, str] = {}
    for value in values:
        side = {"d": "debit", "c": "credit"}.get(value.strip()[:1].lower())
        if side is not None:
            found.setdefault(side, value.rstrip())
    return found if len(found) == 2 else {}
