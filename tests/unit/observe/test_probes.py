from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_US, ManualClock
from harness.observe.clock_probes import probe

OFFSET_US = 1_700_000_000_000_000


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=8))
def test_error_is_at_most_half_the_round_trip(trips: Sequence[tuple[int, int]]) -> None:
    """However a round trip splits into there and back, the offset is off by RTT/2 at most."""
    clock = ManualClock()
    left = iter(trips)

    def ask_us() -> int:
        there_ns, back_ns = next(left)
        clock.advance(there_ns)
        server_us = OFFSET_US + clock.now_ns() // NS_PER_US
        clock.advance(back_ns)
        return server_us

    found = probe("postgres", ask_us, clock, asks=len(trips))
    error_ns = (found.server_us - OFFSET_US) * NS_PER_US - found.mono_ns
    assert abs(error_ns) <= found.rtt_ns / 2 + NS_PER_US
    assert found.rtt_ns == min(there + back for there, back in trips)
