"""Merges evidence files in the order of time, with one chunk of each in memory."""

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
    """Records of all files from the end of the previous batch up to one moment."""

    attempts: tuple[Records, ...]
    acks: tuple[Records, ...]
    sightings: tuple[Records, ...]


@dataclass(slots=True)
class ReadProblems:
    """Problems found while the files are read.

    Attributes:
        torn: bytes of incomplete records, by file name.
        disordered: records that are older than an earlier one, by file name.
    """

    torn: dict[str, int] = field(default_factory=dict)
    disordered: dict[str, int] = field(default_factory=dict)


class _Cursor:
    """Position in one file; its records are expected in the order of one of their times."""

    def __init__(self, path: Path, dtype: np.dtype[Any], time: str, chunk: int) -> None:
        self._path = path
        self._dtype = dtype
        self._time = time
        self._chunk = chunk
        self._next = 0
        self._latest = -(1 << 62)
        self._buffer: Records = np.empty(0, dtype=dtype)
        # Non-decreasing: a record out of order is returned with its neighbours.
        self._merged_times = np.empty(0, dtype=np.int64)
        self.is_exhausted = False
        self.torn = 0
        self.disordered = 0

    @property
    def name(self) -> str:
        return self._path.name

    def fill(self) -> None:
        """Read the next chunk if the buffer is empty."""
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
        latest = np.maximum.accumulate(times)
        self.disordered += int((times[1:] < latest[:-1]).sum())
        self._merged_times = latest[1:]
        self._latest = int(latest[-1])

    @property
    def horizon(self) -> int:
        """Latest time of the buffer."""
        return int(self._merged_times[-1])

    def read_until(self, until: int) -> Records:
        """Remove the records up to a time from the buffer."""
        cut = int(np.searchsorted(self._merged_times, until, side="right"))
        records = self._buffer[:cut]
        self._buffer = self._buffer[cut:]
        self._merged_times = self._merged_times[cut:]
        return records


def read_merged(
    attempts: Sequence[Path],
    acks: Sequence[Path],
    sightings: Sequence[Path],
    reading: ReadProblems,
    *,
    chunk: int = CHUNK,
) -> Iterator[RecordBatch]:
    """Batches of all files; memory is bounded by one chunk for each file.

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
        open_cursors = [cursor for cursor in cursors if not cursor.is_exhausted]
        if not open_cursors:
            break
        until = min(cursor.horizon for cursor in open_cursors)
        parts = [
            tuple(cursor.read_until(until) for cursor in group if not cursor.is_exhausted)
            for group in groups
        ]
        yield RecordBatch(*parts)
    for cursor in cursors:
        if cursor.torn:
            reading.torn[cursor.name] = cursor.torn
        if cursor.disordered:
            reading.disordered[cursor.name] = cursor.disordered
