from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.codec import Signal, encode_signal
from tests.unit.zone_b.zone_b_values import TRACE
from zone_b import defi_pb2
from zone_b.message import Malformed, Order, read_entry

ADDRESS = "0x" + "ab" * 20


def request(**swap: object) -> bytes:
    """A proposal whose swap differs from a good one in these fields."""
    fields = {
        "strategy_id": "s",
        "address": ADDRESS,
        "chain_id": 1,
        "amount_in": "1",
        "capital": "10",
        **swap,
    }
    return defi_pb2.TradeRequest(
        ctx=defi_pb2.Context(trace_id=TRACE, agent_id="a"),
        action=defi_pb2.SWAP,
        payload=defi_pb2.Swap(**fields).SerializeToString(),  # type: ignore[arg-type] # any field
        max_slippage_bps=100,
        gas_price_limit="1",
    ).SerializeToString()


def test_reads_what_the_harness_writes() -> None:
    """Both sides of the wire agree."""
    signal = Signal(
        trace_id=TRACE,
        agent_id="agent-1",
        strategy_id="strategy-1",
        last_sync_block=42,
        timestamp_ms=1,
        address=ADDRESS,
        chain_id=5,
        amount_in=10**18,
        capital=10**19,
        staged=True,
        max_slippage_bps=50,
        memo=b"x",
    )
    assert read_entry(b"1-1", [b"data", encode_signal(signal)]) == Order(
        entry_id=b"1-1",
        trace_id=TRACE,
        agent_id="agent-1",
        strategy_id="strategy-1",
        last_sync_block=42,
        address=ADDRESS,
        chain_id=5,
        amount_in_wei=10**18,
        capital_wei=10**19,
        staged=True,
        slippage_max_bps=50,
        gas_price_wei=100_000_000_000,
    )


@pytest.mark.parametrize(
    "swap",
    [
        {"amount_in": ""},
        {"amount_in": "0"},
        {"amount_in": "-1"},
        {"amount_in": "1.5"},
        {"amount_in": "1e3"},
        {"amount_in": "٣"},
        {"amount_in": str(2**256)},
        {"amount_in": "9" * 5000},
        {"capital": "0"},
        {"address": "0x12"},
        {"address": ADDRESS + "\n"},
        {"chain_id": 0},
        {"chain_id": 2**63},
        {"strategy_id": ""},
        {"strategy_id": "a\0b"},
        {"strategy_id": "x" * 201},
    ],
)
def test_wrong_fields_make_a_malformed_signal(swap: dict[str, object]) -> None:
    """A signal that has its name but no sense keeps its name."""
    read = read_entry(b"1-1", [b"data", request(**swap)])
    assert isinstance(read, Malformed)
    assert read.trace_id == TRACE


@pytest.mark.parametrize("fields", [[], [b"other", b"x"], [b"data", b""], [b"data", b"\xff\xff"]])
def test_an_entry_without_a_name_is_malformed(fields: list[bytes]) -> None:
    """What cannot even be named is still read without an error."""
    read = read_entry(b"1-1", fields)
    assert isinstance(read, Malformed)
    assert read.trace_id == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    """No content of an entry can raise: a poisoned entry must not stop the engine."""
    assert isinstance(read_entry(b"1-1", [b"data", data]), Order | Malformed)


@given(st.integers(0, 300), st.integers(0, 255))
def test_any_flipped_byte_is_read(position: int, value: int) -> None:
    """Nor can a good entry with one byte changed."""
    data = bytearray(request())
    data[position % len(data)] = value
    read = read_entry(b"1-1", [b"data", bytes(data)])
    assert isinstance(read, Order | Malformed)


def test_addresses_are_one_in_any_case() -> None:
    """An address in capitals has the same nonce as in small letters."""
    read = read_entry(b"1-1", [b"data", request(address="0x" + "AB" * 20)])
    assert isinstance(read, Order)
    assert read.address == ADDRESS
