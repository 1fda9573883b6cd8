"""The lines of `gate.jsonl`: start of the gate's node, each round and its observations, release.

Amounts are integers in wei (or units of the other token), written as decimal strings: most programs
would round numbers of that size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, TypeAdapter
from pydantic import Field as Key

from harness.evidence.jsonl import format_jsonl, readable_lines
from harness.scenario.gate import GateKind

Wei = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PoolReserves(_Line):
    """The pool's reserves of the input token (`paid_in`) and of the output token (`taken_out`)."""

    paid_in: Wei
    taken_out: Wei


class FuzzCase(_Line):
    """The case of a round, drawn from the seed.

    Attributes:
        kinds: fuzzed conditions; the first one was drawn, the others were added.
        price_times: factor of the gas price.
        burn: iterations of an additional loop in the pool's code, to use more gas.
        liquidity_ppm: share of the ordinary reserves that the pool holds.
        price_ppm: price after the first decision, relative to the price before.
        rpc: whether a request reaches the node late (`stall`), or its answer is lost (`lose`).
        nonce: kind of nonce conflict.
        reorg_depth: blocks that are replaced; `buried`: blocks on top of the swap's before that.
        least: how the minimum output of the trader is chosen.
    """

    kinds: tuple[GateKind, ...]
    amount_in: Wei
    capital: Wei
    gas_price: Wei
    slippage_max_bps: int
    price_times: int = 1
    burn: int = 0
    liquidity_ppm: int = 1_000_000
    price_ppm: int = 1_000_000
    rpc: Literal["", "stall", "lose"] = ""
    nonce: Literal["", "again", "underpriced", "replaced", "gap", "low"] = ""
    reorg_depth: int = 0
    buried: int = 0
    least: Literal["none", "slippage", "exact", "one_more"] = "none"


ChainStage = Literal["before", "stalled", "moved", "mined", "reorged"]


class DecisionRecord(_Line):
    """A decision of the decision service on the round's order.

    Attributes:
        when: state of the chain.
        status: SIMULATED, or the reason of the refusal; `detail` gives its cause.
        gas_fee, protocol_fee: of an accepted trade.
    """

    when: ChainStage
    status: str
    detail: str = ""
    gas_fee: Wei = 0
    protocol_fee: Wei = 0
    took_ns: int = 0


class RoundObservation(_Line):
    """Observations of a round, as the node reports them.

    Attributes:
        before: the pool at the first decision; `moved`: when the swap was sent.
        mined: the pool after the swap was mined; `after`: at the end of the round.
        call_out, call_gas: output and gas of the swap by a call; None: it reverts.
        asked: decisions in their order.
        succeeded, reverted: transactions of the round's swap that were mined.
        early: transactions mined before the nonce below theirs was used.
        event_in, event_out: amounts of the pool's events.
        fee_paid: gas used, by the receipts, at the price by the receipts.
        balance_lost: of the trader, from before to mined.
        nonces_mined, nonces: nonces of the trader used by then, and at the end.
        refused: reasons of the node's refusals, in the order of sending.
        forked: blocks whose hash changed in the reorganisation.
    """

    before: PoolReserves
    moved: PoolReserves
    mined: PoolReserves
    after: PoolReserves
    call_out: Wei | None = None
    call_gas: int | None = None
    asked: tuple[DecisionRecord, ...] = ()
    succeeded: int = 0
    reverted: int = 0
    early: int = 0
    event_in: Wei = 0
    event_out: Wei = 0
    fee_paid: Wei = 0
    balance_lost: Wei = 0
    nonces_mined: int = 0
    nonces: int = 0
    refused: tuple[str, ...] = ()
    forked: int = 0


class NodeOpened(_Line):
    """The gate's node answers.

    Attributes:
        node: the process or container; `seen`: proof that it answers.
        asked_ns: when its start was requested.
    """

    line: Literal["opened"] = "opened"
    node: str
    seen: str
    asked_ns: int
    mono_ns: int


class RoundsBegun(_Line):
    """The rounds begin; `gas_estimate` is the gas of an ordinary swap."""

    line: Literal["begun"] = "begun"
    gas_estimate: int
    limit_ns: int
    mono_ns: int


class GateRound(_Line):
    """One round.

    Attributes:
        seen: None where the round was not completed, because of `trouble`.
        broken: names of the invariants that did not hold, as evaluated during the run.
    """

    line: Literal["round"] = "round"
    number: int
    began_ns: int
    ended_ns: int
    draw: FuzzCase
    seen: RoundObservation | None = None
    broken: tuple[str, ...] = ()
    trouble: str = ""


class NodeReleased(_Line):
    """The node was released.

    Attributes:
        closed_ns: when it was asked to end; `mono_ns`: when it was seen gone, None for never.
        seen: proof that it is gone.
        trouble: what failed in the gate as a whole; empty if nothing did.
    """

    line: Literal["released"] = "released"
    node: str
    closed_ns: int
    mono_ns: int | None = None
    seen: str = ""
    trouble: str = ""


GateLogEntry = NodeOpened | RoundsBegun | GateRound | NodeReleased
_LINE: TypeAdapter[GateLogEntry] = TypeAdapter(Annotated[GateLogEntry, Key(discriminator="line")])


@dataclass(frozen=True, slots=True)
class GateLog:
    """All lines; None for a missing one.

    Attributes:
        unread: number of unreadable and duplicate lines.
    """

    opened: NodeOpened | None = None
    begun: RoundsBegun | None = None
    rounds: tuple[GateRound, ...] = ()
    released: NodeReleased | None = None
    unread: int = field(default=0)


def format_gate_entry(line: GateLogEntry) -> str:
    """The text of a line."""
    return format_jsonl(line)


def read_gate(lines: Iterable[str]) -> GateLog:
    """All lines; unreadable ones are counted."""
    single: dict[type[GateLogEntry], GateLogEntry] = {}
    rounds: dict[int, GateRound] = {}
    entries, unread = readable_lines(lines, _LINE)
    for found in entries:
        if isinstance(found, GateRound):
            unread += found.number in rounds
            rounds.setdefault(found.number, found)
        else:
            unread += type(found) in single
            single.setdefault(type(found), found)
    opened, begun = single.get(NodeOpened), single.get(RoundsBegun)
    released = single.get(NodeReleased)
    return GateLog(
        opened=opened if isinstance(opened, NodeOpened) else None,
        begun=begun if isinstance(begun, RoundsBegun) else None,
        rounds=tuple(rounds[number] for number in sorted(rounds)),
        released=released if isinstance(released, NodeReleased) else None,
        unread=unread,
    )
