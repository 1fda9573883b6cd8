"""Every name of the system under test, in one place.

A team with other names replaces values here by a contract file; no other module spells one out.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]


class State(IntEnum):
    """FSM states that the harness tells apart. The number is the code stored in a sighting."""

    OTHER = 0
    INIT = 1
    SIMULATED = 2
    STALE_DATA_ERROR = 16
    INVARIANT_BROKEN = 17
    SIMULATION_TIMEOUT = 18
    SIMULATION_UNAVAILABLE = 19
    MALFORMED = 20

    @property
    def is_final(self) -> bool:
        """Whether a signal in this state has reached its end, as far as Zone B is concerned."""
        return self not in (State.OTHER, State.INIT)

    @property
    def is_rejected(self) -> bool:
        """Whether the engine refused the signal, with this state as its reason."""
        return self >= State.STALE_DATA_ERROR


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Streams(_Frozen):
    """Redis keys and groups, without the environment prefix."""

    proposals: Name = "stream:agent:proposals"
    chain_events: Name = "stream:chain:events"
    accounting: Name = "stream:internal:accounting"
    engine_group: Name = "cg:engine"
    agents_group: Name = "cg:agents"
    accounting_group: Name = "cg:accounting"
    field: Name = "data"
    proposals_maxlen: Annotated[int, Field(ge=1)] = 10_000
    chain_events_maxlen: Annotated[int, Field(ge=1)] = 10_000
    accounting_maxlen: Annotated[int, Field(ge=1)] = 5_000


class TaskTable(_Frozen):
    """Where an FSM row is found, and what its columns are called."""

    table: Name = "trade_tasks"
    trace_id: Name = "trace_id"
    status: Name = "status"
    nonce: Name = "nonce"
    internal_tx_id: Name = "internal_tx_id"
    created_at: Name = "created_at"
    updated_at: Name = "updated_at"


class NonceTable(_Frozen):
    """The nonce lock: one row per address and chain; `nonce` is the next one to be given."""

    table: Name = "nonce_locks"
    address: Name = "address"
    chain_id: Name = "chain_id"
    nonce: Name = "nonce"


class LedgerTable(_Frozen):
    """Double-entry rows; every row moves `amount` from one account to the other."""

    table: Name = "ledger_entries"
    internal_tx_id: Name = "internal_tx_id"
    trace_id: Name = "trace_id"
    debit_account_id: Name = "debit_account_id"
    credit_account_id: Name = "credit_account_id"
    amount: Name = "amount"
    entry_type: Name = "entry_type"


class Contract(_Frozen):
    """The names a system under test uses on the wire and in its database."""

    prefix: Annotated[str, Field(pattern=r"^([a-z0-9_-]+:)?$")] = "dev:"
    streams: Streams = Streams()
    tasks: TaskTable = TaskTable()
    nonces: NonceTable = NonceTable()
    ledger: LedgerTable = LedgerTable()
    publication: Name = "harness_watch"
    observer_role: Name = "harness_observer"
    states: dict[str, State] = {state.name: state for state in State if state is not State.OTHER}

    def key(self, stream: str) -> str:
        """The Redis key of a stream in this environment."""
        return f"{self.prefix}{stream}"

    def agent_group(self, agent: int) -> str:
        """The consumer group of one agent on the chain events."""
        return f"cg:agent:{agent:04d}"

    def state(self, status: str) -> State:
        """The state a status text stands for; OTHER for one that is not mapped."""
        return self.states.get(status, State.OTHER)
