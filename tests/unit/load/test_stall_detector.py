from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.load.stall_detector import STALL_MIN_NS, StallDetector


@given(st.lists(st.integers(-1_000, 10 * STALL_MIN_NS)))
def test_pauses_are_summed_and_small_change_is_not(lates: list[int]) -> None:
    """The latest is kept of all, the sum of those that are pauses; a reset forgets both."""
    dog = StallDetector()
    for late in lates:
        dog.woke(late)
    assert dog.late_max_ns == max([0, *lates])
    assert dog.stalled_ns == sum(late for late in lates if late >= STALL_MIN_NS)
    dog.reset()
    assert (dog.late_max_ns, dog.stalled_ns) == (0, 0)
