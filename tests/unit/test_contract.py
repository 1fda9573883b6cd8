"""The contract: names of signals, messages, and bindings built from their source."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import trace_id
from harness.contract.address import HOT_ADDRESS, address_text
from harness.contract.build_proto import TARGETS, build
from harness.contract.codec import Signal, decode_chain_head, decode_signal, encode_signal
from harness.contract.names import Contract, State
from harness.contract.trace_column import TraceColumn

run_tags = st.integers(min_value=0, max_value=(1 << 48) - 1)
agents = st.integers(min_value=0, max_value=trace_id.AGENT_MAX)
indexes = st.integers(min_value=0, max_value=trace_id.INDEX_MAX)


@given(run_tags, agents, indexes)
def test_trace_id_is_a_uuid_that_reads_back(run_tag: int, agent: int, index: int) -> None:
    """A trace id is a UUID of version 8, lies in its run's range, and tells its parts."""
    high, low = trace_id.pack(run_tag, agent, index)
    text = trace_id.text(high, low)
    parsed = uuid.UUID(text)
    assert parsed.version == 8
    assert str(parsed) == text
    assert trace_id.parse(text) == (high, low)
    assert trace_id.unpack(high, low) == (run_tag, agent, index)
    lowest, highest = trace_id.run_range(run_tag)
    assert lowest <= text <= highest


@pytest.mark.parametrize("parts", [(1 << 48, 0, 0), (0, 1 << 12, 0), (0, 0, 1 << 32), (-1, 0, 0)])
def test_trace_id_refuses_what_does_not_fit(parts: tuple[int, int, int]) -> None:
    """A part too large for its field would name another signal."""
    with pytest.raises(ValueError, match="out of range"):
        trace_id.pack(*parts)


@given(run_tags, st.integers(min_value=0, max_value=HOT_ADDRESS))
def test_addresses_have_the_shape_of_the_chain(run_tag: int, index: int) -> None:
    """0x and 40 hex digits."""
    text = address_text(run_tag, index)
    assert len(text) == 42
    assert int(text, 16) >= 0


@given(st.integers(min_value=0, max_value=2**256), st.binary(max_size=300), st.booleans())
def test_signal_reads_back(amount: int, memo: bytes, staged: bool) -> None:
    """Amounts survive as whole wei, whatever their size."""
    signal = Signal(
        trace_id=trace_id.text(*trace_id.pack(1, 2, 3)),
        agent_id="agent-0002",
        strategy_id=str(uuid.UUID(int=7)),
        last_sync_block=9,
        timestamp_ms=1_700_000_000_000,
        address=address_text(1, 2),
        chain_id=1,
        amount_in=amount,
        capital=10**24,
        staged=staged,
        max_slippage_bps=50,
        memo=memo,
    )
    assert decode_signal(encode_signal(signal)) == signal


@pytest.mark.parametrize("read", [decode_signal, decode_chain_head])
def test_broken_bytes_are_refused(read: object) -> None:
    """Bytes that are no message give one kind of error."""
    assert callable(read)
    with pytest.raises(ValueError, match="not a"):
        read(b"\xff\xff\xff")


def test_bindings_are_built_from_the_source(tmp_path: Path) -> None:
    """Rebuilding the bindings gives the files that are kept."""
    build(tmp_path)
    for target in TARGETS:
        for name in ("defi_pb2.py", "defi_pb2.pyi"):
            assert (tmp_path / name).read_bytes() == (target / name).read_bytes(), target


def test_states_and_keys() -> None:
    """Rejections are final, INIT is not; keys carry the environment."""
    contract = Contract()
    assert contract.key(contract.streams.proposals) == "dev:stream:agent:proposals"
    assert contract.state("SIMULATED") is State.SIMULATED
    assert contract.state("SIGNED") is State.OTHER
    assert State.SIMULATED.is_final
    assert not State.SIMULATED.is_rejected
    assert not State.INIT.is_final
    assert all(state.is_final for state in State if state.is_rejected)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (TraceColumn(), "00000000-0005-8001-8000-000000000abc"),
        (TraceColumn(trace_type="text", trace_hyphens=False), "00000000000580018000000000000abc"),
        (
            TraceColumn(trace_type="text", trace_case="upper", trace_prefix="ord-"),
            "ord-00000000-0005-8001-8000-000000000ABC",
        ),
    ],
)
def test_a_trace_id_is_written_as_the_column_has_it(column: TraceColumn, expected: str) -> None:
    """It is read back from that form and from no other, and the order of ids stays."""
    ids = trace_id.pack(5, 1, 0xABC)
    assert column.format_id(trace_id.text(*ids)) == expected
    assert column.read(expected) == ids
    low, high = column.run_range(5)
    assert low <= expected <= high
    others = (expected.swapcase(), f"x{expected}", expected[:-1], f"{expected} ", "", "ord-")
    assert [column.read(other) for other in others] == [None] * len(others)


@given(tag=st.integers(0, 2**48 - 1), agent=st.integers(0, 4095), index=st.integers(0, 2**32 - 1))
def test_every_form_of_a_trace_id_is_read_back(tag: int, agent: int, index: int) -> None:
    """And lies in the range of its run."""
    ids = trace_id.pack(tag, agent, index)
    cases: tuple[Literal["lower", "upper"], ...] = ("lower", "upper")
    for case in cases:
        column = TraceColumn(trace_type="text", trace_case=case, trace_prefix="ORD-")
        text = column.format_id(trace_id.text(*ids))
        low, high = column.run_range(tag)
        assert column.read(text) == ids
        assert low <= text <= high
