"""Writes observations (sightings) to the disk."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

from harness.clock import NS_PER_MS
from harness.contract.names import Contract, State
from harness.evidence.records import READ, SIGHTING, RecordWriter
from harness.observe.plan import READS_FILE
from harness.observe.watcher import Versions

# What may be lost when the observer is killed; a batch costs one write(2).
FLUSH_EVERY_NS = 50 * NS_PER_MS
_UNMAPPED_MAX = 20
_BUFFER_MAX = 256 * 1024
_RECORD = struct.Struct("<QQqqQIB3x")
_READ = struct.Struct("<qq")

if (_RECORD.size, _READ.size) != (SIGHTING.itemsize, READ.itemsize):
    raise AssertionError("sightings are packed in another layout than they are read")


class ObservationsFile:
    """Writes this run's sightings in batches and counts the rest.

    Args:
        path: the new file; reads with sightings go to another file in the same folder.
        contract: state of each status.
        run_tag: run whose sightings are written.

    Attributes:
        seen: sightings written or about to be.
        final: those of them in a final state.
        foreign: row versions of other runs, left out.
        other: row versions in a status that the contract does not name, left out.
        unmapped_statuses: versions by such a status, of a limited number of statuses.
    """

    def __init__(self, path: Path, contract: Contract, run_tag: int) -> None:
        self._writer = RecordWriter(path)
        self._states = dict(contract.states)
        self._run_tag = run_tag
        self._reads_writer = RecordWriter(path.with_name(READS_FILE))
        self._buffer = bytearray()
        self._reads = bytearray()
        self._flush_due_ns = 0
        self.seen = 0
        self.final = 0
        self.foreign = 0
        self.other = 0
        self.unmapped_statuses: Counter[str] = Counter()

    def add(self, versions: Versions, seen_ns: int, since_ns: int = 0) -> None:
        """Add row versions received at `seen_ns`, none of which existed at `since_ns`.

        Raises:
            EvidenceError: a batch cannot be written.
        """
        buffer, states, run_tag, seen = self._buffer, self._states, self._run_tag, self.seen
        for trace_hi, trace_lo, status, commit_us, lsn, xid in versions:
            state = states.get(status, State.OTHER)
            if trace_hi >> 16 != run_tag:
                self.foreign += 1
            elif state is State.OTHER:
                self._count_other(status)
            else:
                if state is State.BEYOND:
                    # It was SIMULATED by then; only the log shows when.
                    state, commit_us = State.SIMULATED, commit_us if lsn else 0
                buffer += _RECORD.pack(trace_hi, trace_lo, commit_us, seen_ns, lsn, xid, state)
                self.seen += 1
                self.final += state is not State.INIT
        if since_ns and self.seen > seen:
            self._reads += _READ.pack(since_ns, seen_ns)
        if len(buffer) >= _BUFFER_MAX:
            self.flush()

    def _count_other(self, status: str) -> None:
        self.other += 1
        if status in self.unmapped_statuses or len(self.unmapped_statuses) < _UNMAPPED_MAX:
            self.unmapped_statuses[status] += 1

    def flush_when_due(self, now_ns: int) -> None:
        """Write the batch when it is old enough."""
        if now_ns >= self._flush_due_ns:
            self.flush()
            self._flush_due_ns = now_ns + FLUSH_EVERY_NS

    def flush(self) -> None:
        """Write everything to the file."""
        if self._buffer:
            self._writer.write(self._buffer)
            self._buffer.clear()
        if self._reads:
            self._reads_writer.write(self._reads)
            self._reads.clear()

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._writer.close()
        self._reads_writer.close()
