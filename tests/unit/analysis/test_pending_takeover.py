"""Takeover of the events that an agent had not acknowledged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.integrity.pending_takeover import (
    PendingSnapshot,
    analyze_takeover,
    read_pending_snapshots,
)
from harness.errors import EvidenceError

DEAD, ONE, OTHER = "agent-dead", "agent-one", "agent-other"
# The owner of an event, snapshot by snapshot; empty once it is acknowledged.
owners = st.lists(st.sampled_from([DEAD, ONE, OTHER, ""]), min_size=1, max_size=8)


def snapshots_of(
    *moments: dict[str, list[str]], begin_ns: int = 100
) -> tuple[PendingSnapshot, ...]:
    """A snapshot each 10 ns."""
    return tuple(PendingSnapshot(begin_ns + 10 * n, pending) for n, pending in enumerate(moments))


def test_each_event_is_followed_to_whoever_has_it_next() -> None:
    """Others claim two, one is acknowledged between two snapshots."""
    snapshots = snapshots_of(
        {DEAD: ["1-0", "2-0", "3-0"], ONE: ["4-0"]},
        {DEAD: ["2-0"], ONE: ["4-0", "1-0"]},
        {OTHER: ["2-0"]},
        {},
    )
    found = analyze_takeover(snapshots, "dead", 95)
    assert (found.consumer, found.held, found.first_id, found.last_id) == (DEAD, 3, "1-0", "3-0")
    assert found.claimed == {ONE: 1, OTHER: 1}
    assert (found.unseen, found.left, found.emptied_ns, found.watched_ns) == (1, 0, 120, 130)


def test_what_came_before_its_end_is_not_counted() -> None:
    """While it lived it acknowledged its events itself."""
    snapshots = snapshots_of({DEAD: ["1-0"]}, {DEAD: ["2-0"]}, {ONE: ["2-0"]})
    found = analyze_takeover(snapshots, "dead", 101)
    assert (found.held, found.claimed) == (1, {ONE: 1})


def test_a_missing_group_gives_nothing() -> None:
    """Nor does an unknown consumer."""
    assert analyze_takeover([PendingSnapshot(1, None)], "dead", 0).consumer == ""
    assert analyze_takeover(snapshots_of({ONE: ["1-0"]}), "dead", 0).held == 0
    assert analyze_takeover(snapshots_of({ONE: ["1-0"]}), "", 0).consumer == ""


@given(st.dictionaries(st.integers(1, 50).map(lambda n: f"{n}-0"), owners, max_size=10))
def test_every_event_has_one_end(events: dict[str, list[str]]) -> None:
    """Held is the sum of claimed, unseen and left; emptied as soon as none is left."""

    def held_by(who: str, moment: int) -> list[str]:
        return [
            event for event, owner in events.items() if [*owner, *owner[-1:] * 8][moment] == who
        ]

    moments = [{who: held_by(who, n) for who in (DEAD, ONE, OTHER)} for n in range(8)]
    found = analyze_takeover(snapshots_of(*moments), "dead", 0)
    assert found.held == len(moments[0][DEAD])
    assert found.held == sum(found.claimed.values()) + found.unseen + found.left
    assert (found.emptied_ns is None) == (found.left > 0)


def test_snapshots_are_read_as_they_were_written() -> None:
    """An invalid line is reported with its number."""
    lines = [
        {"mono_ns": 5, "pending": {ONE: ["1-0"]}, "whole": False},
        {"mono_ns": 6, "pending": None},
    ]
    first, second = read_pending_snapshots([json.dumps(line) for line in lines])
    assert (first.pending, first.is_complete, second.pending) == ({ONE: ["1-0"]}, False, None)
    for bad in ("", "{}", '{"mono_ns": 1, "pending": 3}', "[]"):
        with pytest.raises(EvidenceError, match="line 2"):
            read_pending_snapshots([json.dumps(lines[0]), bad])
