"""Every name of the system under test, in one place.

A contract file replaces these values for a system with other names; no other module has one.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.contract.chain_feed import ChainFeed
from harness.contract.codecs import Codec, TradeRequestCodec
from harness.contract.frozen import Frozen, Name, NameIfAny, false_is_none
from harness.contract.ledger import LedgerIfAny, LedgerTable
from harness.contract.observation import ObservationSettings
from harness.contract.trace_column import TraceColumn

__all__ = [
    "Contract",
    "LedgerTable",
    "NonceTable",
    "State",
    "Streams",
    "TaskTable",
]


class State(IntEnum):
    """FSM states that the harness distinguishes. The number is the code stored in a sighting.

    OTHER: a status that is not in the contract. BEYOND: a later state, which only a signal can have
    that reached SIMULATED.
    """

    OTHER = 0
    INIT = 1
    SIMULATED = 2
    BEYOND = 3
    STALE_DATA_ERROR = 16
    INVARIANT_BROKEN = 17
    SIMULATION_TIMEOUT = 18
    SIMULATION_UNAVAILABLE = 19
    MALFORMED = 20

    @property
    def is_final(self) -> bool:
        """Whether the state is final for Zone B."""
        return self not in (State.OTHER, State.INIT)

    @property
    def is_rejected(self) -> bool:
        """Whether the engine refused the signal for the reason that the state names."""
        return self >= State.STALE_DATA_ERROR


def _by_name(value: object) -> object:
    """A state by its name; evidence files store its number."""
    if isinstance(value, str):
        found = State.__members__.get(value)
        if found is None or found is State.OTHER:
            known = ", ".join(name for name in State.__members__ if name != State.OTHER.name)
            raise ValueError(f"no state {value!r}; there are {known}")
        return found
    return value


StateByName = Annotated[State, BeforeValidator(_by_name)]
LengthIfAny = Annotated[
    Annotated[int, Field(ge=1)] | None,
    BeforeValidator(false_is_none),
]


class Streams(Frozen):
    """Redis keys and groups, without the environment prefix; None for those that do not exist.

    Attributes:
        field: the stream entry's field that holds the message.
        proposals_maxlen: approximate length to which agents trim the stream; None: no trimming.
        create: whether the load may create the stream of proposals.
    """

    proposals: Name = "stream:agent:proposals"
    chain_events: NameIfAny = "stream:chain:events"
    accounting: NameIfAny = "stream:internal:accounting"
    engine_group: NameIfAny = "cg:engine"
    agents_group: Name = "cg:agents"
    accounting_group: Name = "cg:accounting"
    field: Name = "data"
    proposals_maxlen: LengthIfAny = 10_000
    create: bool = False
    chain_events_maxlen: Annotated[int, Field(ge=1)] = 10_000
    accounting_maxlen: Annotated[int, Field(ge=1)] = 5_000


class TaskTable(TraceColumn):
    """Table and columns of the FSM rows; None for columns that do not exist.

    Attributes:
        archive: table with the same columns that final rows are moved to.
        kept: whether a row stays, or may be deleted once it is final.
    """

    table: Name = "trade_tasks"
    archive: NameIfAny = None
    kept: Literal["always", "until_final"] = "always"
    status: Name = "status"
    nonce: NameIfAny = "nonce"
    internal_tx_id: NameIfAny = "internal_tx_id"
    created_at: NameIfAny = "created_at"
    updated_at: NameIfAny = "updated_at"


class NonceTable(Frozen):
    """The nonce lock: one row per address and chain.

    Attributes:
        chain_id: None where the system serves one chain only.
        holds: whether `nonce` is the next nonce, or the last one that was assigned.
        taken_at: whether a signal gets its nonce when it reaches SIMULATED, or at its intake: then
            rows that are refused, stuck or reverted keep theirs, which leaves no gap.
    """

    table: Name = "nonce_locks"
    address: Name = "address"
    chain_id: NameIfAny = "chain_id"
    nonce: Name = "nonce"
    holds: Literal["next", "last"] = "next"
    taken_at: Literal["simulated", "intake"] = "simulated"


def _own_states() -> dict[str, State]:
    return {state.name: state for state in State if state not in (State.OTHER, State.BEYOND)}


class Contract(Frozen):
    """The names a system under test uses on the wire and in its database.

    Attributes:
        codec: encoding of a signal.
        chain: stream and encoding of chain events.
        nonces: None without a nonce table.
        ledger: None without a ledger.
        states: the state of each status.
        seen: how SIMULATED is observed.
        addresses: fixed signing addresses of the system; empty where it accepts any.
        nonce_first: first nonce of an unused address.
        nonce_starts: next nonce of addresses without a row in the nonce table.
    """

    prefix: Annotated[str, Field(pattern=r"^\S{0,100}$")] = "dev:"
    streams: Streams = Streams()
    codec: Codec = TradeRequestCodec()
    chain: ChainFeed = ChainFeed()
    tasks: TaskTable = TaskTable()
    nonces: Annotated[NonceTable | None, BeforeValidator(false_is_none)] = NonceTable()
    ledger: LedgerIfAny = LedgerTable()
    publication: Name = "harness_watch"
    observer_role: Name = "harness_observer"
    states: dict[str, StateByName] = Field(default_factory=_own_states)
    seen: ObservationSettings = ObservationSettings()
    addresses: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    nonce_first: Annotated[int, Field(ge=0)] = 0
    nonce_starts: dict[Name, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)

    def key(self, stream: str) -> str:
        """The Redis key of a stream in this environment."""
        return f"{self.prefix}{stream}"

    def with_stream_maxlen(self, maxlen: int) -> Contract:
        """A copy with this length of proposals and chain events."""
        lengths = {"proposals_maxlen": maxlen, "chain_events_maxlen": maxlen}
        return self.model_copy(update={"streams": self.streams.model_copy(update=lengths)})

    def agent_group(self, agent: int) -> str:
        """The consumer group of one agent on the chain events."""
        return f"cg:agent:{agent:04d}"

    def state(self, status: str) -> State:
        """The state of a status; OTHER for an unmapped one."""
        return self.states.get(status, State.OTHER)

    def status_for(self, state: State) -> str:
        """The first status of a state; empty for a state without one."""
        return next((status for status, known in self.states.items() if known is state), "")
