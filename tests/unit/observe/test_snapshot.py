from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.observe.snapshot import XID_WRAP, VersionDeduplicator, full_xid, snapshot_xmin

# What transactions do, in order: begin one, commit the n-th that runs, poll.
STEPS = st.lists(
    st.one_of(st.just("begin"), st.just("poll"), st.integers(0, 5)), min_size=1, max_size=80
)


@given(STEPS, st.integers(3, 2**40))
def test_every_row_version_is_new_exactly_once(steps: list[str | int], first: int) -> None:
    """In whatever order transactions commit, each is new in exactly one poll."""
    next_xid, running = first, list[int]()
    committed, found = list[int](), list[int]()
    deduplicator = VersionDeduplicator(first)

    def poll() -> None:
        xmin = min(running, default=next_xid)
        low = deduplicator.horizon
        shown = [xid for xid in committed if xid >= low]  # as the query restricts it
        found.extend(xid for xid in shown if deduplicator.is_new(1, xid, xid % XID_WRAP))
        deduplicator.advance(xmin)
        assert deduplicator.kept <= len([xid for xid in committed if xid >= xmin])

    for step in steps:
        if step == "begin":
            running.append(next_xid)
            next_xid += 1
        elif step == "poll":
            poll()
        elif isinstance(step, int) and running:
            committed.append(running.pop(step % len(running)))
    poll()
    assert sorted(found) == sorted(committed)


@given(st.integers(2**31, 2**45), st.integers(-(2**31) + 1, 2**31 - 1))
def test_short_ids_are_completed(horizon: int, distance: int) -> None:
    """A 32-bit id within half the circle of the horizon gets its full form back."""
    xid = horizon + distance
    assert full_xid(xid % XID_WRAP, horizon) == xid


def test_horizon_never_goes_back() -> None:
    """An older snapshot (of a lost poll) changes nothing."""
    deduplicator = VersionDeduplicator(100)
    deduplicator.advance(90)
    assert deduplicator.horizon == 100
    assert not deduplicator.is_new(1, 1, 99)


def test_snapshot_text() -> None:
    """The oldest running transaction is its first number."""
    assert snapshot_xmin("795:799:795,797") == 795
    with pytest.raises(ValueError, match="not a snapshot"):
        snapshot_xmin("795")
