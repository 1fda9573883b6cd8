"""What an entry of the proposal stream says, checked; whatever it holds, reading it never fails."""

from __future__ import annotations

import re
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from zone_b import defi_pb2

FIELD = b"data"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_UINT256_MAX = (1 << 256) - 1
_BIGINT_MAX = (1 << 63) - 1
# Longest decimal number that fits numeric(78,0), the ledger's amount.
_DIGITS_MAX = 78
_STRATEGY_ID_MAX = 200


@dataclass(frozen=True, slots=True)
class Order:
    """A swap that an agent proposes. Amounts are whole wei.

    Attributes:
        entry_id: id of the stream entry, for its acknowledgement.
        trace_id: the signal's one name; UUID in lower-case text.
        address: signing address in lower case, so that one address has one nonce.
        gas_price_wei: the most that the agent pays for a unit of gas.
    """

    entry_id: bytes
    trace_id: str
    agent_id: str
    strategy_id: str
    last_sync_block: int
    address: str
    chain_id: int
    amount_in_wei: int
    capital_wei: int
    staged: bool
    slippage_max_bps: int
    gas_price_wei: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """An entry that is no order.

    Attributes:
        trace_id: the signal's name, or an empty text if not even that can be read.
        why: what is wrong with it.
    """

    entry_id: bytes
    trace_id: str
    why: str


class WrongFieldError(ValueError):
    """A field has a value that cannot be."""


def read_entry(entry_id: bytes, fields: list[bytes]) -> Order | Malformed:
    """Read a stream entry.

    Args:
        entry_id: its id.
        fields: names and values in turn, as Redis sends them.
    """
    trace_id = ""
    try:
        request = defi_pb2.TradeRequest.FromString(data_of(fields))
        trace_id = _matched("ctx.trace_id", request.ctx.trace_id, _UUID)
        if request.action != defi_pb2.SWAP:
            raise WrongFieldError(f"action {request.action} is not SWAP")
        swap = defi_pb2.Swap.FromString(request.payload)
        return Order(
            entry_id=entry_id,
            trace_id=trace_id,
            agent_id=request.ctx.agent_id,
            strategy_id=_name("strategy_id", swap.strategy_id),
            last_sync_block=request.ctx.last_sync_block,
            address=_matched("address", swap.address, _ADDRESS),
            chain_id=_within("chain_id", swap.chain_id, _BIGINT_MAX),
            amount_in_wei=_wei("amount_in", swap.amount_in),
            capital_wei=_wei("capital", swap.capital),
            staged=swap.staged,
            slippage_max_bps=_within("max_slippage_bps", request.max_slippage_bps, 10_000, low=0),
            gas_price_wei=_wei("gas_price_limit", request.gas_price_limit),
        )
    except (DecodeError, WrongFieldError) as error:
        return Malformed(entry_id, trace_id, str(error))


def data_of(fields: list[bytes]) -> bytes:
    """The message in an entry's fields, which are names and values in turn.

    Raises:
        WrongFieldError: there is none.
    """
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        if name == FIELD:
            return value
    raise WrongFieldError("no field `data`")


def _matched(name: str, text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise WrongFieldError(f"{name} is not of the form {pattern.pattern}")
    return text.lower()


def _name(field: str, text: str) -> str:
    if not 0 < len(text) <= _STRATEGY_ID_MAX or "\0" in text:
        raise WrongFieldError(
            f"{field} must have 1 to {_STRATEGY_ID_MAX} characters, none of them NUL"
        )
    return text


def _within(name: str, value: int, high: int, *, low: int = 1) -> int:
    if not low <= value <= high:
        raise WrongFieldError(f"{name} {value} is not between {low} and {high}")
    return value


def _wei(name: str, text: str) -> int:
    # isdecimal alone would let other scripts' digits through.
    if not (0 < len(text) <= _DIGITS_MAX and text.isascii() and text.isdecimal()):
        raise WrongFieldError(f"{name} is not a decimal number of wei")
    return _within(name, int(text), _UINT256_MAX)
