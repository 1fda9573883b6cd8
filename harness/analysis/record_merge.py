"""Several evidence files read side by side in the order of time, a chunk of each at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.evidence.records import ACK, ATTEMPT, SIGHTING, Records, read_records

CHUNK = 16_384


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """What the files hold up to one moment, and not before the step before."""

    attempts: tuple[Records, ...]
    acks: tuple[Records, ...]
    sightings: tuple[Records, ...]


@dataclass(slots=True)
class ReadProblems:
    """What is found while the files are read.

    Attributes:
        torn: bytes of records cut short, by file name.
        disordered: records that are older than one before them, by file name.
    """

    torn: dict[str, int] = field(default_factory=dict)
    disordered: dict[str, int] = field(default_factory=dict)


class _Cursor:
    """One file under way; its records are expected in the order of one of their times."""

    def __init__(self, path: Path, dtype: np.dtype[Any], time: str, chunk: int) -> None:
        self._path = path
        self._dtype = dtype
        self._time = time
        self._chunk = chunk
        self._next = 0
        self._latest = -(1 << 62)
        self._buffer: Records = np.empty(0, dtype=dtype)
        # Never falls: a record out of order is handed over with those it stands among.
        self._reached = np.empty(0, dtype=np.int64)
        self.is_exhausted = False
        self.torn = 0
        self.disordered = 0

    @property
    def name(self) -> str:
        return self._path.name

    def fill(self) -> None:
        """Read the next chunk if nothing is left of the last one."""
        if len(self._buffer) or self.is_exhausted:
            return
        self._buffer, self.torn = read_records(
            self._path, self._dtype, first=self._next, count=self._chunk
        )
        self._next += len(self._buffer)
        if len(self._buffer) == 0:
            self.is_exhausted = True
            return
        times = np.concatenate(([self._latest], self._buffer[self._time]))
        reached = np.maximum.accumulate(times)
        self.disordered += int((times[1:] < reached[:-1]).sum())
        self._reached = reached[1:]
        self._latest = int(reached[-1])

    @property
    def horizon(self) -> int:
        """Up to when everything has been read."""
        return int(self._reached[-1])

    def take(self, until: int) -> Records:
        """Records up to a time."""
        cut = int(np.searchsorted(self._reached, until, side="right"))
        taken = self._buffer[:cut]
        self._buffer = self._buffer[cut:]
        self._reached = self._reached[cut:]
        return taken


def read_merged(
    attempts: Sequence[Path],
    acks: Sequence[Path],
    sightings: Sequence[Path],
    reading: ReadProblems,
    *,
    chunk: int = CHUNK,
) -> Iterator[RecordBatch]:
    """All files in step; memory is bounded by one chunk for each file.

    Raises:
        EvidenceError: a file cannot be read.
    """
    groups = [
        [_Cursor(path, ATTEMPT, "sent_ns", chunk) for path in attempts],
        [_Cursor(path, ACK, "acked_ns", chunk) for path in acks],
        [_Cursor(path, SIGHTING, "seen_ns", chunk) for path in sightings],
    ]
    cursors = [cursor for group in groups for cursor in group]
    while True:
        for cursor in cursors:
            cursor.fill()
        live = [cursor for cursor in cursors if not cursor.is_exhausted]
        if not live:
            break
        until = min(cursor.horizon for cursor in live)
        parts = [
            tuple(cursor.take(until) for cursor in group if not cursor.is_exhausted)
            for group in groups
        ]
        yield RecordBatch(*parts)
    for cursor in cursors:
        if cursor.torn:
            reading.torn[cursor.name] = cursor.torn
        if cursor.disordered:
            reading.disordered[cursor.name] = cursor.disordered
