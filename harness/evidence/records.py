"""Fixed-size records of the evidence files, little-endian: layouts, writer and readers.

A writer hands each batch to the kernel before it returns, so that the death of its process loses
nothing. Readers report an incomplete record at the end of a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import EvidenceError
from harness.safe_open import open_regular

Records = NDArray[np.void]


class Mode(IntEnum):
    """Simulation mode that a signal asks of the engine."""

    LITE = 0
    FULL = 1


class PushStatus(IntEnum):
    """Result of an XADD."""

    ACCEPTED = 1
    REFUSED = 2
    UNKNOWN = 3


# One signal, written before it is sent. Times are monotonic. `stale` is 1 if its `sync_block` is
# too old on purpose, 0 if it is an ordinary one.
ATTEMPT = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("intended_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("sync_block", "<u4"),
        ("address", "<u4"),
        ("agent", "<u2"),
        ("stage", "<u2"),
        ("mode", "u1"),
        ("stale", "u1"),
        ("reserved", "u1", 2),
    ]
)

# Redis's answer to one XADD. `redis_ms` and `redis_seq` are the entry id; zero unless ACCEPTED.
ACK = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("acked_ns", "<i8"),
        ("redis_ms", "<i8"),
        ("redis_seq", "<u4"),
        ("outcome", "u1"),
        ("reserved", "u1", 3),
    ]
)

# One FSM row version observed in PostgreSQL. `commit_us` is the server's Unix time in microseconds,
# zero when it is not known; `seen_ns` is the observer's monotonic time.
SIGHTING = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("commit_us", "<i8"),
        ("seen_ns", "<i8"),
        ("lsn", "<u8"),
        ("xid", "<u4"),
        ("state", "u1"),
        ("reserved", "u1", 3),
    ]
)

# One read of an observer that polls, if it returned sightings: none of the sightings with this
# `seen_ns` existed at `since_ns`, when the last complete read before it was sent.
READ = np.dtype([("since_ns", "<i8"), ("seen_ns", "<i8")])

# A row of the FSM table after the drain. `nonce` is -1 where the row has none.
TASK = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("nonce", "<i8"),
        ("state", "u1"),
        ("reserved", "u1", 7),
    ]
)

# The ledger rows of one signal after the drain: number of each type, number of internal
# transactions, and number of rows that break a rule (amount not positive, both sides the same
# account, unknown account or type).
LEDGER = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("trades", "<u4"),
        ("gas_fees", "<u4"),
        ("protocol_fees", "<u4"),
        ("transactions", "<u4"),
        ("broken", "<u4"),
        ("reserved", "u1", 4),
    ]
)


# Sums of one signal's ledger entries: the amount of its TRADE entry (-1 if that is no integer below
# 2^63, -2 if there is not exactly one), internal transactions whose debits and credits differ, and
# entries with an unknown account (`strangers`).
BOOKING = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("trade_wei", "<i8"),
        ("unbalanced", "<u4"),
        ("strangers", "<u4"),
    ]
)

# The timestamp of an FSM row's last change by the row itself, in Unix microseconds.
STAMP = np.dtype([("trace_hi", "<u8"), ("trace_lo", "<u8"), ("updated_us", "<i8")])

# One event of the chain: its entry id in Redis, and the newest block that it reports.
HEAD = np.dtype([("redis_ms", "<i8"), ("redis_seq", "<u4"), ("block", "<u4")])


class RecordWriter:
    """Appends records to a new file; each call reaches the kernel before it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise _io_error("create", path, error) from error

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append packed records.

        Raises:
            EvidenceError: the bytes could not all be written.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise _io_error("write", self._path, error) from error

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_records(
    path: Path, dtype: np.dtype[Any], *, first: int = 0, count: int = -1
) -> tuple[Records, int]:
    """Complete records of a file from record `first` on, and the bytes of a torn one at its end.

    Raises:
        EvidenceError: the file cannot be read.
        RefusedError: it is no regular file, or larger than any run writes.
    """
    try:
        with open_regular(path) as file:
            complete, torn = divmod(os.fstat(file.fileno()).st_size, dtype.itemsize)
            wanted = max(0, complete - first) if count < 0 else max(0, min(count, complete - first))
            file.seek(first * dtype.itemsize)
            records = np.fromfile(file, dtype=dtype, count=wanted)
    except OSError as error:
        raise _io_error("read", path, error) from error
    return records, torn


def iter_records(path: Path, dtype: np.dtype[Any], *, chunk: int = 65_536) -> Iterator[Records]:
    """The file's complete records, `chunk` at a time, so that memory is bounded."""
    first = 0
    while True:
        records, _ = read_records(path, dtype, first=first, count=chunk)
        if len(records) == 0:
            return
        yield records
        first += len(records)


def _io_error(verb: str, path: Path, error: OSError) -> EvidenceError:
    return EvidenceError(
        f"cannot {verb}: {error.strerror or error}",
        where=str(path),
        hint="check free space and permissions of the report folder (--reports DIR)",
    )
