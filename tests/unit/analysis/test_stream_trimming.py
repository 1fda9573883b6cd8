"""Snapshots of the stream show exactly the entries that were trimmed unread."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.entry_ids import pack_id
from harness.analysis.integrity.stream_trimming import (
    SNAPSHOT_GAP_MAX_NS,
    StreamHistory,
    StreamSnapshot,
    read_stream_history,
)
from tests.unit.analysis.evidence import MS
from tests.unit.analysis.stream_polls import BEFORE, entry_text, poll


@dataclass
class Stream:
    """A stream and its one group, entry by entry, with the truth about what went unread."""

    added: int = 0
    delivered: int = 0
    first: int = 0
    unread: set[int] = field(default_factory=set)

    def add(self, count: int) -> None:
        self.added += count

    def read(self, count: int) -> None:
        start = max(self.delivered, self.first)
        if count and start < self.added:
            self.delivered = min(start + count, self.added)

    def trim(self, keep: int) -> None:
        first = max(self.first, self.added - keep)
        self.unread |= set(range(max(self.first, self.delivered), first))
        self.first = first

    def line(self, mono_ns: int) -> str:
        return json.dumps(poll(mono_ns, self.added, delivered=self.delivered, first=self.first))


def found(history: StreamHistory, added: int) -> set[int]:
    """Numbers of the entries trimmed unread, of all that were ever added."""
    entries = np.array([pack_id(entry_text(number)) for number in range(added)], dtype=np.uint64)
    return set(np.flatnonzero(history.trimmed(entries)).tolist())


_counts = st.integers(0, 6)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _counts),
        st.tuples(st.just("read"), _counts),
        st.tuples(st.just("trim"), _counts),
    ),
    max_size=40,
)


@given(_steps)
def test_snapshots_after_every_step_are_exact(steps: list[tuple[str, int]]) -> None:
    """Exactly what was trimmed while it waited is found, however reading and trimming go on."""
    stream = Stream()
    lines = [stream.line(0)]
    for turn, (what, count) in enumerate(steps, 1):
        getattr(stream, what)(count)
        lines.append(stream.line(turn * 250 * MS))
    history = read_stream_history(lines)
    assert (history.lines, history.invalid_lines) == (len(lines), 0)
    assert found(history, stream.added) == stream.unread


@given(_steps, st.integers(1, 8))
def test_fewer_snapshots_miss_no_unread_entry(steps: list[tuple[str, int]], every: int) -> None:
    """Entries read and trimmed between two snapshots look like unread ones."""
    stream = Stream()
    lines = [stream.line(0)]
    for turn, (what, count) in enumerate(steps, 1):
        getattr(stream, what)(count)
        if turn % every == 0 or turn == len(steps):
            lines.append(stream.line(turn * 100 * MS))
    assert found(read_stream_history(lines), stream.added) >= stream.unread


def test_snapshots_far_apart_show_nothing() -> None:
    """In so long a time the entries may well have been read, and trimmed afterwards."""
    lines = [
        json.dumps(poll(0, 10, delivered=2)),
        json.dumps(poll(SNAPSHOT_GAP_MAX_NS + 1, 10, delivered=10, first=8)),
    ]
    assert found(read_stream_history(lines), 10) == set()


@pytest.mark.parametrize("keep", [0, 1])
def test_a_stream_trimmed_to_nothing(keep: int) -> None:
    """Without a first entry everything that was ever in the stream is trimmed."""
    stream = Stream()
    stream.add(5)
    stream.read(2)
    lines = [stream.line(0)]
    stream.trim(keep)
    lines.append(stream.line(100 * MS))
    assert found(read_stream_history(lines), 5) == {2, 3, 4} - ({4} if keep else set())


def test_lines_that_show_no_stream_or_nothing_at_all() -> None:
    """A missing stream is no snapshot; torn and invalid lines are counted."""
    none = json.dumps({"mono_ns": 1, "stream": None, "group": None})
    history = read_stream_history(
        [none, json.dumps(poll(2, 3)), "{", "[]", json.dumps({"mono_ns": 3})]
    )
    assert (history.lines, history.snapshot_count, history.invalid_lines) == (5, 1, 3)
    assert history.added_before == 0


@pytest.mark.parametrize(("apart_ns", "unread"), [(2_000 * MS, {2, 3}), (2_000 * MS + 1, set())])
def test_snapshots_up_to_two_seconds_apart_count(apart_ns: int, unread: set[int]) -> None:
    """Two seconds still show unread entries, one nanosecond more does not."""
    first, second = poll(0, 10, delivered=2), poll(apart_ns, 10, delivered=10, first=4)
    assert found(read_stream_history(map(json.dumps, (first, second))), 10) == unread


def test_entry_after_an_empty_stream_is_the_next_one() -> None:
    """An empty stream without new entries: all pending entries are trimmed, and no later one."""
    history = read_stream_history(
        [json.dumps(poll(0, 4, delivered=1)), json.dumps(poll(MS, 4, delivered=1, first=4))]
    )
    entries = np.array([pack_id("1-3"), pack_id("1-3") + 1], dtype=np.uint64)
    assert history.trimmed(entries).tolist() == [True, False]


def test_ranges_are_bounded_and_joined() -> None:
    """Ranges of the same waiting entries are one; of others there are so many at most."""
    history = StreamHistory()
    for turn in range(100_003):
        history.add(StreamSnapshot(2 * turn, 10 * turn, 10 * turn, None))
        history.add(StreamSnapshot(2 * turn + 1, 10 * turn + 3, 10 * turn, None))
    assert len(history._lows) == len(history._highs) == 100_000
    assert history.snapshot_count == 2 * 100_003
    joined = StreamHistory()
    for turn, (first, delivered) in enumerate([(1, 2), (5, 2), (9, 2), (9, 9), (12, 9)]):
        joined.add(StreamSnapshot(turn, first, delivered, None))
    assert (joined._lows, joined._highs) == ([2, 9], [9, 12])


def test_entries_before_the_first_snapshot() -> None:
    """Only the first line gives their number."""
    lines = [json.dumps(poll(turn, turn + 1)) for turn in range(3)]
    assert read_stream_history(lines).added_before == BEFORE + 1
    none = json.dumps({"mono_ns": 1, "stream": None, "group": None})
    assert read_stream_history([none, *lines]).added_before == 0
    assert read_stream_history([]).added_before is None
