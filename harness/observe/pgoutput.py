"""PostgreSQL's logical replication messages, read from bytes; pure.

Formats: PostgreSQL 16 manual, sections 55.4 "Streaming Replication Protocol" and 55.9 "Logical
Replication Message Formats" (protocol version 1, output plugin `pgoutput`).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# PostgreSQL counts microseconds from 2000-01-01 00:00 UTC.
PG_EPOCH_US = 946_684_800_000_000

_XLOG_DATA = struct.Struct(">QQq")
_KEEPALIVE = struct.Struct(">QqB")
_STATUS_UPDATE = struct.Struct(">cQQQqB")
_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">BQQq")
_OID = struct.Struct(">I")
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")

Buffer = bytes | memoryview
# None: SQL NULL. UNCHANGED: a large value that the update did not touch and the server left out.
UNCHANGED = b"\x00<unchanged>"
Values = tuple[bytes | None, ...]


class XLogData(NamedTuple):
    """A piece of the stream: where it starts in the WAL, how far the server is, and its payload."""

    start_lsn: int
    end_lsn: int
    payload: Buffer


class Keepalive(NamedTuple):
    """The server has sent everything up to `end_lsn`; it may want an answer."""

    end_lsn: int
    reply_wanted: bool


class Begin(NamedTuple):
    """A transaction's rows follow. `commit_us`: Unix time of its commit, in microseconds."""

    commit_lsn: int
    commit_us: int
    xid: int


class Commit(NamedTuple):
    """The transaction's rows have all been sent."""

    commit_lsn: int
    end_lsn: int


class Column(NamedTuple):
    """A column of a published table."""

    name: str
    type_oid: int


class Relation(NamedTuple):
    """The columns of the following rows with this `oid`."""

    oid: int
    schema: str
    table: str
    columns: tuple[Column, ...]


class Row(NamedTuple):
    """A new row version, by INSERT or by UPDATE."""

    oid: int
    is_insert: bool
    values: Values


Message = Begin | Commit | Relation | Row


def parse_frame(data: Buffer) -> XLogData | Keepalive | None:
    """Read one CopyData payload of the replication stream; None for a kind that is not known.

    Raises:
        ValueError: cut short.
    """
    try:
        if data[0] == 0x77:  # w
            start, end, _ = _XLOG_DATA.unpack_from(data, 1)
            return XLogData(start, end, data[1 + _XLOG_DATA.size :])
        if data[0] == 0x6B:  # k
            end, _, reply = _KEEPALIVE.unpack_from(data, 1)
            return Keepalive(end, bool(reply))
    except (struct.error, IndexError) as error:
        raise ValueError(f"replication frame of {len(data)} bytes is cut short") from error
    return None


def status_update(lsn: int, unix_us: int, *, reply_wanted: bool) -> bytes:
    """Confirms that everything up to `lsn` is received and may be released."""
    return _STATUS_UPDATE.pack(b"r", lsn, lsn, lsn, unix_us - PG_EPOCH_US, reply_wanted)


def parse_message(data: Buffer) -> Message | None:
    """Read one `pgoutput` message; None for kinds that carry no new row version.

    Raises:
        ValueError: cut short, or not laid out as documented.
    """
    try:
        return _parse(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"pgoutput message of {len(data)} bytes cannot be read") from error


def _parse(data: Buffer) -> Message | None:
    kind = data[0]
    if kind == 0x42:  # B
        lsn, commit_pg_us, xid = _BEGIN.unpack_from(data, 1)
        return Begin(lsn, commit_pg_us + PG_EPOCH_US, xid)
    if kind == 0x49:  # I
        (oid,) = _OID.unpack_from(data, 1)
        _expect(data, 5, 0x4E)
        return Row(oid, True, _tuple(data, 6)[0])
    if kind == 0x55:  # U
        return _update(data)
    if kind == 0x43:  # C
        _, lsn, end_lsn, _ = _COMMIT.unpack_from(data, 1)
        return Commit(lsn, end_lsn)
    if kind == 0x52:  # R
        return _relation(data)
    return None


def _update(data: Buffer) -> Row:
    (oid,) = _OID.unpack_from(data, 1)
    position = 5
    if data[position] in (0x4B, 0x4F):  # K or O: the old key or the old row comes first
        _, position = _tuple(data, position + 1)
    _expect(data, position, 0x4E)
    return Row(oid, False, _tuple(data, position + 1)[0])


def _tuple(data: Buffer, position: int) -> tuple[Values, int]:
    (count,) = _INT16.unpack_from(data, position)
    position += 2
    values: list[bytes | None] = []
    for _ in range(count):
        kind = data[position]
        position += 1
        if kind in (0x74, 0x62):  # t or b: a value in text or in binary form
            (length,) = _INT32.unpack_from(data, position)
            position += 4
            value = bytes(data[position : position + length])
            if length < 0 or len(value) != length:
                raise ValueError(f"value of {length} bytes is cut short")
            position += length
            values.append(value)
        elif kind == 0x6E:  # n
            values.append(None)
        elif kind == 0x75:  # u
            values.append(UNCHANGED)
        else:
            raise ValueError(f"unknown kind of value {kind:#x}")
    return tuple(values), position


def _relation(data: Buffer) -> Relation:
    (oid,) = _OID.unpack_from(data, 1)
    schema, position = _string(data, 5)
    table, position = _string(data, position)
    position += 1  # replica identity
    (count,) = _INT16.unpack_from(data, position)
    position += 2
    columns = []
    for _ in range(count):
        name, position = _string(data, position + 1)  # after its flags
        (type_oid,) = _OID.unpack_from(data, position)
        position += 8  # type and type modifier
        columns.append(Column(name, type_oid))
    return Relation(oid, schema, table, tuple(columns))


def _string(data: Buffer, position: int) -> tuple[str, int]:
    end = position
    while data[end] != 0:
        end += 1
    return bytes(data[position:end]).decode(), end + 1


def _expect(data: Buffer, position: int, kind: int) -> None:
    if data[position] != kind:
        raise ValueError(f"expected {chr(kind)!r}, found {data[position]:#x}")
