"""Records of the final state: each part is read and written independently of the others."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, sql

from harness.contract.ledger import Ledger
from harness.contract.names import Contract
from harness.errors import error_text
from harness.evidence.records import LEDGER, TASK, RecordWriter

T = TypeVar("T")

_BATCH = 5_000
_TASK_RECORD = struct.Struct("<QQqB7x")
_LEDGER_RECORD = struct.Struct("<QQIIIII4x")
# A value that no query foresees: the server cannot cast it, or Python cannot read it.
_UNREADABLE = (psycopg.Error, ValueError, ArithmeticError)

if (_TASK_RECORD.size, _LEDGER_RECORD.size) != (TASK.itemsize, LEDGER.itemsize):
    raise AssertionError("final rows are packed in another layout than they are read")


class SnapshotReader:
    """Reads parts of one snapshot; one that fails leaves the others to be read.

    Args:
        connection: within a transaction.
        unread: receives the reason of each part that cannot be read.
    """

    def __init__(self, connection: Connection[Any], unread: dict[str, str]) -> None:
        self._connection = connection
        self._unread = unread

    def read(self, name: str, function: Callable[..., T], *args: object) -> T | None:
        """The result of a function; None if it cannot read.

        Raises:
            psycopg.Error: the connection is lost.
        """
        try:
            with self._connection.transaction():  # a savepoint
                return function(*args)
        except _UNREADABLE as error:
            if self._connection.broken:
                raise
            self._unread[name] = error_text(error, with_type=False)
            return None


def stream(
    connection: Connection[Any], query: sql.Composed, values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, a batch at a time."""
    with connection.cursor(name="harness_final") as cursor:
        cursor.itersize = _BATCH
        yield from cursor.execute(query, values)


def pack_tasks(
    rows: Iterable[tuple[Any, ...]],
    contract: Contract,
    statuses: Counter[str],
    spell: Callable[[str], str] = str,
) -> Iterator[bytes]:
    """TASK records of the rows; adds the rows to `statuses`."""
    for trace, stored, nonce in rows:
        if (ids := contract.tasks.read(trace)) is not None:
            status = spell(stored or "")
            statuses[status] += 1
            state = contract.state(status)
            yield _TASK_RECORD.pack(*ids, -1 if nonce is None else nonce, state)


def pack_ledger(rows: Iterable[tuple[Any, ...]], ledger: Ledger) -> Iterator[bytes]:
    """LEDGER records of the rows."""
    for trace, *counts in rows:
        if (ids := ledger.read(trace)) is not None:
            yield _LEDGER_RECORD.pack(*ids, *counts)


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """A new file of records; none if they cannot all be read.

    Raises:
        EvidenceError: it cannot be written.
    """
    buffer = bytearray()
    with RecordWriter(path) as writer:
        try:
            for record in records:
                buffer += record
                if len(buffer) >= _BATCH * len(record):
                    writer.write(buffer)
                    buffer.clear()
        except _UNREADABLE:
            path.unlink()  # in a part of the rows the others would appear to be missing
            raise
        writer.write(buffer)
