"""Writes the messages that `harness.observe.pgoutput` reads; for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from harness.observe.pgoutput import PG_EPOCH_US, UNCHANGED, Column


def xlog_data(start: int, end: int, payload: bytes) -> bytes:
    """A piece of the stream."""
    return b"w" + struct.pack(">QQq", start, end, 0) + payload


def keepalive(end: int, *, reply_wanted: bool) -> bytes:
    """The server's sign of life."""
    return b"k" + struct.pack(">QqB", end, 0, reply_wanted)


def begin(lsn: int, commit_us: int, xid: int) -> bytes:
    """Start of a transaction."""
    return b"B" + struct.pack(">QqI", lsn, commit_us - PG_EPOCH_US, xid)


def commit(lsn: int, end: int, commit_us: int = PG_EPOCH_US) -> bytes:
    """End of a transaction."""
    return b"C" + struct.pack(">BQQq", 0, lsn, end, commit_us - PG_EPOCH_US)


def relation(oid: int, schema: str, table: str, columns: Sequence[Column]) -> bytes:
    """A table's layout."""
    head = b"R" + struct.pack(">I", oid)
    names = schema.encode() + b"\0" + table.encode() + b"\0"
    body = b"".join(
        b"\0" + column.name.encode() + b"\0" + struct.pack(">Ii", column.type_oid, -1)
        for column in columns
    )
    return head + names + b"d" + struct.pack(">h", len(columns)) + body


def insert(oid: int, values: Sequence[bytes | None], *, binary: bool = True) -> bytes:
    """A new row."""
    return b"I" + struct.pack(">I", oid) + b"N" + row(values, binary=binary)


def update(
    oid: int,
    values: Sequence[bytes | None],
    old: Sequence[bytes | None] | None = None,
    *,
    binary: bool = True,
) -> bytes:
    """A new version of a row, with its old key or not."""
    before = b"" if old is None else b"K" + row(old, binary=binary)
    return b"U" + struct.pack(">I", oid) + before + b"N" + row(values, binary=binary)


def row(values: Sequence[bytes | None], *, binary: bool) -> bytes:
    """Column values."""
    return struct.pack(">h", len(values)) + b"".join(_value(value, binary) for value in values)


def _value(value: bytes | None, binary: bool) -> bytes:
    if value is None:
        return b"n"
    if value == UNCHANGED:
        return b"u"
    return (b"b" if binary else b"t") + struct.pack(">i", len(value)) + value
