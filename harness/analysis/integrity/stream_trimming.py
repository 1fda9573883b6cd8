"""Entries that were trimmed from the stream before its consumer group read them.

Two successive snapshots show them: the entry is newer than the last one delivered at the first
snapshot, and older than the oldest one left at the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.entry_ids import pack_id
from harness.analysis.samples import Mask
from harness.clock import NS_PER_S
from harness.evidence.strict_json import MALFORMED, loads

# Between snapshots that lie further apart an entry may have been read before it was trimmed.
SNAPSHOT_GAP_MAX_NS = 2 * NS_PER_S
_RANGES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """The stream and its group at one moment; entry ids are packed.

    Attributes:
        first: oldest entry in the stream; of an empty stream, the next id.
        delivered: newest entry delivered to the group.
        added: entries ever added; None where Redis does not report it (before 7.0).
    """

    mono_ns: int
    first: int
    delivered: int | None
    added: int | None


@dataclass(slots=True)
class StreamHistory:
    """The ranges of unread, trimmed entries.

    Attributes:
        lines: lines of the file.
        snapshot_count: lines that show a stream.
        invalid_lines: lines that cannot be read.
        added_before: entries ever added at the first snapshot; None if it is not reported.
    """

    lines: int = 0
    snapshot_count: int = 0
    invalid_lines: int = 0
    added_before: int | None = None
    _latest: StreamSnapshot | None = None
    _lows: list[int] = field(default_factory=list)
    _highs: list[int] = field(default_factory=list)

    def add(self, snapshot: StreamSnapshot) -> None:
        """Add the next snapshot."""
        previous, self._latest = self._latest, snapshot
        self.snapshot_count += 1
        if previous is None or previous.delivered is None:
            return
        if (
            snapshot.first <= previous.delivered
            or snapshot.mono_ns - previous.mono_ns > SNAPSHOT_GAP_MAX_NS
        ):
            return
        if self._highs and self._lows[-1] <= previous.delivered < self._highs[-1]:
            self._highs[-1] = max(self._highs[-1], snapshot.first)
        elif len(self._lows) < _RANGES_MAX:
            self._lows.append(previous.delivered)
            self._highs.append(snapshot.first)

    def trimmed(self, entries: NDArray[np.uint64]) -> Mask:
        """Which of these entries, all of which were in the stream, were trimmed unread."""
        found = np.zeros(len(entries), dtype=np.bool_)
        for low, high in zip(self._lows, self._highs, strict=True):
            found |= (entries > np.uint64(low)) & (entries < np.uint64(high))
        return found


def read_stream_history(lines: Iterable[str]) -> StreamHistory:
    """The history in a file of snapshots; memory does not grow with their number."""
    history = StreamHistory()
    for line in lines:
        history.lines += 1
        try:
            snapshot = _snapshot(loads(line))
        except MALFORMED:
            history.invalid_lines += 1
            continue
        if history.lines == 1:
            history.added_before = snapshot.added if snapshot else 0
        if snapshot is not None:
            history.add(snapshot)
    return history


def _snapshot(document: dict[str, Any]) -> StreamSnapshot | None:
    stream, group = document["stream"], document["group"]
    if stream is None:
        return None
    first = stream["first_id"]
    return StreamSnapshot(
        mono_ns=int(document["mono_ns"]),
        first=pack_id(stream["last_id"]) + 1 if first is None else pack_id(first),
        delivered=None if group is None else pack_id(group["last_delivered_id"]),
        added=stream["entries_added"],
    )
