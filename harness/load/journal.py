"""The swarm's journal: its attempts, and Redis's answers."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from harness.evidence.records import PushStatus, RecordWriter
from harness.schedule.agent_schedule import Batch
from harness.schedule.resp import entry_id

# The trace id as in the ATTEMPT, and the other fields of an ACK.
_ACK = struct.Struct("<16sqqIB3x")


class Journal:
    """Journal of one swarm process. Every call reaches the kernel before it returns.

    Args:
        folder: where the two files are created.
        process: number of the process.
    """

    def __init__(self, folder: Path, process: int) -> None:
        self._attempts = RecordWriter(folder / f"attempts-{process}.bin")
        self._acks = RecordWriter(folder / f"acks-{process}.bin")

    def attempt(self, batch: Batch, sent_ns: int) -> None:
        """Record the signals that are about to be sent.

        Raises:
            EvidenceError: it could not be written, so it must not be sent.
        """
        self._attempts.write(batch.stamp(sent_ns))

    def answered(self, answers: Iterable[tuple[bytes, bytes | None]], acked_ns: int) -> None:
        """Record Redis's answers: packed trace id, and the entry's id or None for an error.

        Raises:
            EvidenceError: it could not be written.
        """
        pack = _ACK.pack
        records = bytearray()
        for packed_id, entry in answers:
            if entry is None:
                records += pack(packed_id, acked_ns, 0, 0, PushStatus.REFUSED)
            else:
                milliseconds, sequence = entry_id(entry)
                records += pack(packed_id, acked_ns, milliseconds, sequence, PushStatus.ACCEPTED)
        self._acks.write(records)

    def unanswered(self, ids: Iterable[bytes], outcome: PushStatus, now_ns: int) -> None:
        """Record signals without an answer.

        Raises:
            EvidenceError: it could not be written.
        """
        self._acks.write(b"".join(_ACK.pack(packed_id, now_ns, 0, 0, outcome) for packed_id in ids))

    def close(self) -> None:
        """Close both files."""
        self._attempts.close()
        self._acks.close()
