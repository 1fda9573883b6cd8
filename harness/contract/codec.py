"""Protobuf messages of the reference system: encoding and decoding."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from harness.contract import defi_pb2


@dataclass(frozen=True, slots=True)
class Signal:
    """A trade proposal of an agent. Amounts are integers in wei."""

    trace_id: str
    agent_id: str
    strategy_id: str
    last_sync_block: int
    timestamp_ms: int
    address: str
    chain_id: int
    amount_in: int
    capital: int
    staged: bool
    max_slippage_bps: int
    memo: bytes


@dataclass(frozen=True, slots=True)
class ChainHead:
    """A chain event: a new head."""

    block_number: int
    sync_block: int
    sync_timestamp_ms: int
    kind: str


def encode_signal(signal: Signal) -> bytes:
    """A `TradeRequest` with a `Swap` in it, serialized."""
    swap = defi_pb2.Swap(
        strategy_id=signal.strategy_id,
        address=signal.address,
        chain_id=signal.chain_id,
        token_in="WETH",
        token_out="USDC",
        amount_in=str(signal.amount_in),
        capital=str(signal.capital),
        staged=signal.staged,
        memo=signal.memo,
    )
    return defi_pb2.TradeRequest(
        ctx=defi_pb2.Context(
            trace_id=signal.trace_id,
            agent_id=signal.agent_id,
            last_sync_block=signal.last_sync_block,
            timestamp_ms=signal.timestamp_ms,
        ),
        protocol_id="reference-amm",
        action=defi_pb2.SWAP,
        payload=swap.SerializeToString(),
        max_slippage_bps=signal.max_slippage_bps,
        gas_price_limit="100000000000",
    ).SerializeToString()


def decode_signal(data: bytes) -> Signal:
    """Read a `TradeRequest` that carries a `Swap`.

    Raises:
        ValueError: not such a message.
    """
    try:
        request = defi_pb2.TradeRequest.FromString(data)
        swap = defi_pb2.Swap.FromString(request.payload)
        return Signal(
            trace_id=request.ctx.trace_id,
            agent_id=request.ctx.agent_id,
            strategy_id=swap.strategy_id,
            last_sync_block=request.ctx.last_sync_block,
            timestamp_ms=request.ctx.timestamp_ms,
            address=swap.address,
            chain_id=swap.chain_id,
            amount_in=int(swap.amount_in),
            capital=int(swap.capital),
            staged=swap.staged,
            max_slippage_bps=request.max_slippage_bps,
            memo=swap.memo,
        )
    except DecodeError as error:
        raise ValueError(f"not a TradeRequest: {error}") from error


def decode_chain_head(data: bytes) -> ChainHead:
    """Read a `ChainEvent`.

    Raises:
        ValueError: not such a message.
    """
    try:
        event = defi_pb2.ChainEvent.FromString(data)
    except DecodeError as error:
        raise ValueError(f"not a ChainEvent: {error}") from error
    return ChainHead(event.block_number, event.sync_block, event.sync_timestamp, event.kind)
