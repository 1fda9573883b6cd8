"""The swarm's own journal: what it attempted, and what became of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from harness.evidence.records import PushStatus, RecordWriter
from harness.schedule.agent_schedule import Batch
from harness.schedule.resp import entry_id

# Of two halves of a record: the trace id as it stands in the ATTEMPT, and the rest of an ACK.
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
        """Write down what is about to be sent.

        Raises:
            EvidenceError: it could not be written, so it must not be sent.
        """
        self._attempts.write(batch.stamp(sent_ns))

    def answered(self, answers: Iterable[tuple[bytes, bytes | None]], acked_ns: int) -> None:
        """Write down Redis's answers: packed trace id, and the entry's id or None for an error.

        Raises:
            EvidenceError: it could not be written.
        """
        pack = _ACK.pack
        records = bytearray()
        for name, entry in answers:
            if entry is None:
                records += pack(name, acked_ns, 0, 0, PushStatus.REFUSED)
            else:
                milliseconds, sequence = entry_id(entry)
                records += pack(name, acked_ns, milliseconds, sequence, PushStatus.ACCEPTED)
        self._acks.write(records)

    def unanswered(self, names: Iterable[bytes], outcome: PushStatus, now_ns: int) -> None:
        """Write down signals that no answer will come for.

        Raises:
            EvidenceError: it could not be written.
        """
        self._acks.write(b"".join(_ACK.pack(name, now_ns, 0, 0, outcome) for name in names))

    def close(self) -> None:
        """Close both files."""
        self._attempts.close()
        self._acks.close()
