"""When the head of the chain was past a block."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.faults.chain_heads import NEVER_MS, ChainHeads

EVENTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), max_size=40)


@given(EVENTS, st.lists(st.integers(0, 35), min_size=1, max_size=20))
def test_it_is_the_first_event_beyond(events: list[tuple[int, int]], blocks: list[int]) -> None:
    """By comparison with each event; a repeated older block changes nothing."""
    events.sort()
    heads = ChainHeads.of(
        np.array([ms for ms, _ in events], dtype=np.int64),
        np.array([block for _, block in events], dtype=np.int64),
    )
    expected = [
        next((ms for ms, block_then in events if block_then > block), NEVER_MS) for block in blocks
    ]
    assert heads.beyond_ms(np.array(blocks, dtype=np.int64)).tolist() == expected
