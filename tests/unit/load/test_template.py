from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.address import HOT_ADDRESS
from harness.contract.codec import decode_signal, encode_signal
from harness.contract.trace_id import AGENT_MAX, INDEX_MAX
from harness.scenario.models import Signals
from harness.schedule.trade_request_template import SignalTemplate, memo, varint

# Unix milliseconds of which `varint` makes six bytes: 2^35 to 2^42 - 1.
STAMPS = st.integers(1 << 35, (1 << 42) - 1)


@given(st.data())
def test_equals_the_codec(data: st.DataObject) -> None:
    """A filled-in template has the very bytes of the codec, for every content."""
    agent = data.draw(st.integers(0, AGENT_MAX))
    signals = Signals(
        chain_id=data.draw(st.integers(1, 2**40)),
        memo_bytes=data.draw(st.one_of(st.integers(0, 300), st.just(20_000))),
        max_slippage_bps=data.draw(st.integers(0, 10_000)),
    )
    template = SignalTemplate(signals, data.draw(st.integers(0, 2**48 - 1)), agent)
    for _ in range(3):
        index = data.draw(st.integers(0, INDEX_MAX))
        address = data.draw(st.sampled_from((agent, HOT_ADDRESS)))
        amount = data.draw(st.integers(1, 2**63 - 1))
        block = data.draw(st.integers(0, 2**32 - 1))
        stamp = data.draw(STAMPS)
        assert template.encode(index, address, amount, block, varint(stamp)) == encode_signal(
            template.signal(index, address, amount, block, stamp)
        )


def test_reads_back() -> None:
    """The engine's decoder finds what the agent meant."""
    template = SignalTemplate(Signals(memo_bytes=3), 0xAB, 12)
    signal = decode_signal(template.encode(9, HOT_ADDRESS, 5, 77, varint(1_763_930_000_000)))
    assert signal.agent_id == "agent-0012"
    assert signal.last_sync_block == 77
    assert signal.timestamp_ms == 1_763_930_000_000
    assert signal.memo == b"\x00\x01\x02"


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 1000])
def test_memo_has_its_length(length: int) -> None:
    """A memo is as long as it was asked for."""
    assert len(memo(length)) == length
