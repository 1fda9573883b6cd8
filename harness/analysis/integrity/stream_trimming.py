"""What was trimmed from the stream before its group had read it, from looks at the stream.

An entry that lies behind the last one delivered at one look, and before the first one left at the
next look, was in the stream, has gone, and nobody had read it.
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
from harness.evidence.strict_json import loads

# Between looks that lie further apart an entry may well have been read, and trimmed after that.
SNAPSHOT_GAP_MAX_NS = 2 * NS_PER_S
_RANGES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """The stream and its group at one moment; entry ids are packed.

    Attributes:
        first: oldest entry that is left, or the next one to come if none is.
        delivered: newest entry that the group was given.
        added: entries ever added; None where Redis does not tell (before 7.0).
    """

    mono_ns: int
    first: int
    delivered: int | None
    added: int | None


@dataclass(slots=True)
class StreamHistory:
    """What the looks come to.

    Attributes:
        lines: how many the file has.
        looks: how many of them show a stream.
        bad: lines that cannot be read.
        added_before: entries that had been added at the first look; None if it does not tell.
    """

    lines: int = 0
    snapshot_count: int = 0
    invalid_lines: int = 0
    added_before: int | None = None
    _latest: StreamSnapshot | None = None
    _lows: list[int] = field(default_factory=list)
    _highs: list[int] = field(default_factory=list)

    def add(self, look: StreamSnapshot) -> None:
        """Take in the next look."""
        before, self._latest = self._latest, look
        self.snapshot_count += 1
        if before is None or before.delivered is None:
            return
        if look.first <= before.delivered or look.mono_ns - before.mono_ns > SNAPSHOT_GAP_MAX_NS:
            return
        if self._highs and self._lows[-1] <= before.delivered < self._highs[-1]:
            self._highs[-1] = max(self._highs[-1], look.first)
        elif len(self._lows) < _RANGES_MAX:
            self._lows.append(before.delivered)
            self._highs.append(look.first)

    def trimmed(self, entries: NDArray[np.uint64]) -> Mask:
        """Which of these entries, all of which had been in the stream, went unread."""
        found = np.zeros(len(entries), dtype=np.bool_)
        for low, high in zip(self._lows, self._highs, strict=True):
            found |= (entries > np.uint64(low)) & (entries < np.uint64(high))
        return found


def read_stream_history(lines: Iterable[str]) -> StreamHistory:
    """The looks of a file, one at a time; memory does not grow with their number."""
    history = StreamHistory()
    for line in lines:
        history.lines += 1
        try:
            look = _look(loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            history.invalid_lines += 1
            continue
        if history.lines == 1:
            history.added_before = look.added if look else 0
        if look is not None:
            history.add(look)
    return history


def _look(document: dict[str, Any]) -> StreamSnapshot | None:
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
