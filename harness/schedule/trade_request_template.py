"""A prepared `TradeRequest` of one agent; only the changing fields are filled in.

It gives the same bytes as `harness.contract.codec.encode_signal` at a fraction of the time, because
slow encoding delays the sender. Field numbers are those of `compose/proto/defi.proto`; a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from harness.contract import defi_pb2, trace_id
from harness.contract.address import HOT_ADDRESS, AddressBook
from harness.contract.codec import Signal, encode_signal
from harness.scenario.models import Signals
from harness.schedule.content import CAPITAL_WEI

# Tags: field number << 3 | wire type (0 varint, 2 length-delimited).
_TRACE_ID = b"\x0a"
_LAST_SYNC_BLOCK = b"\x18"
_TIMESTAMP_MS = b"\x20"
_CTX = b"\x0a"
_PAYLOAD = b"\x22"
_AMOUNT_IN = b"\x32"

_SWAP_BEFORE_AMOUNT = ("strategy_id", "address", "chain_id", "token_in", "token_out")
_SWAP_AFTER_AMOUNT = ("capital", "staged", "memo")

_TRACE_LENGTH = 36
# Decimal digits of an amount in wei that fits 63 bits.
_DIGITS_MAX = 19


def varint(value: int) -> bytes:
    """A non-negative integer in base 128, least significant group first."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def read_varint(data: bytes) -> int:
    """The integer that `varint` wrote."""
    value = 0
    for group in reversed(data):
        value = value << 7 | group & 0x7F
    return value


def agent_name(agent: int) -> str:
    """Name of an agent on the wire."""
    return f"agent-{agent:04d}"


def strategy_name(agent: int) -> str:
    """Name of an agent's strategy; each agent has its own."""
    return f"strategy-{agent:04d}"


class SignalTemplate:
    """Signals of one agent.

    Args:
        signals: their properties in the scenario.
        run_tag: tag of the run, in every trace id.
        agent: number of the agent.
        listed: signing addresses of a system with a fixed set.
    """

    def __init__(
        self, signals: Signals, run_tag: int, agent: int, listed: Sequence[str] = ()
    ) -> None:
        self._signals = signals
        self._run_tag = run_tag
        self._agent = agent
        self._addresses = AddressBook(run_tag, listed)
        high, low = trace_id.pack(run_tag, agent, 0)
        self._trace_head = trace_id.text(high, low)[:-8].encode()
        self._agent_id = b"\x12" + _sized(agent_name(agent).encode())
        self._memo = memo(signals.memo_bytes)
        self._middles = {index: self._middles_of(index) for index in (agent, HOT_ADDRESS)}
        self._tail = self._tail_of()
        self._block = -1
        self._ctx_head = b""
        self._ctx_tail = b""
        self._set_block(0)

    def encode(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        """The message.

        Args:
            index: number of the signal within the agent.
            address: index of the signing address: the agent's own, or HOT_ADDRESS.
            amount_wei: amount to trade, below 2^63.
            sync_block: newest block that the agent knows.
            timestamp: Unix time in ms as `varint`, which many signals share; six bytes long
                from 2004 to 2109.
        """
        if sync_block != self._block:
            self._set_block(sync_block)
        digits = b"%d" % amount_wei
        return b"".join(
            (
                self._ctx_head,
                b"%08x" % index,
                self._ctx_tail,
                timestamp,
                self._middles[address][len(digits)],
                digits,
                self._tail,
            )
        )

    def signal(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp_ms: int
    ) -> Signal:
        """The same message as a value."""
        return Signal(
            trace_id=trace_id.text(*trace_id.pack(self._run_tag, self._agent, index)),
            agent_id=agent_name(self._agent),
            strategy_id=strategy_name(self._agent),
            last_sync_block=sync_block,
            timestamp_ms=timestamp_ms,
            address=self._addresses.text(address),
            chain_id=self._signals.chain_id,
            amount_in=amount_wei,
            capital=CAPITAL_WEI,
            staged=False,
            max_slippage_bps=self._signals.max_slippage_bps,
            memo=self._memo,
        )

    def _set_block(self, sync_block: int) -> None:
        self._block = sync_block
        block = _LAST_SYNC_BLOCK + varint(sync_block) if sync_block else b""
        trace = _TRACE_ID + varint(_TRACE_LENGTH)
        length = len(trace) + _TRACE_LENGTH + len(self._agent_id) + len(block) + 1 + 6
        self._ctx_head = _CTX + varint(length) + trace + self._trace_head
        self._ctx_tail = self._agent_id + block + _TIMESTAMP_MS

    def _middles_of(self, address: int) -> tuple[bytes, ...]:
        """Bytes between timestamp and amount, by the amount's number of digits."""
        request = self._sample(address)
        before_payload = _only(request, "protocol_id", "action")
        swap = defi_pb2.Swap.FromString(request.payload)
        before_amount = _only(swap, *_SWAP_BEFORE_AMOUNT)
        after_amount = _only(swap, *_SWAP_AFTER_AMOUNT)
        middles = []
        for digits in range(_DIGITS_MAX + 1):
            amount_head = _AMOUNT_IN + varint(digits)
            length = len(before_amount) + len(amount_head) + digits + len(after_amount)
            payload_head = _PAYLOAD + varint(length)
            middles.append(before_payload + payload_head + before_amount + amount_head)
        return tuple(middles)

    def _tail_of(self) -> bytes:
        request = self._sample(self._agent)
        swap = defi_pb2.Swap.FromString(request.payload)
        return _only(swap, *_SWAP_AFTER_AMOUNT) + _only(
            request, "max_slippage_bps", "gas_price_limit"
        )

    def _sample(self, address: int) -> defi_pb2.TradeRequest:
        return defi_pb2.TradeRequest.FromString(encode_signal(self.signal(0, address, 1, 0, 0)))


def memo(length: int) -> bytes:
    """Padding for the remaining fields of real signals."""
    pattern = bytes(range(256))
    return (pattern * (length // 256 + 1))[:length]


def _only(message: Message, *fields: str) -> bytes:
    """The message's bytes with these fields only."""
    part = type(message)()
    part.CopyFrom(message)
    for field in message.DESCRIPTOR.fields_by_name:
        if field not in fields:
            part.ClearField(field)
    return part.SerializeToString()


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data
