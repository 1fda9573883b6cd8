from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.observe import pgoutput
from harness.observe.pgoutput import (
    PG_EPOCH_US,
    UNCHANGED,
    Begin,
    Column,
    Commit,
    Keepalive,
    Relation,
    Row,
    XLogData,
)
from tests.unit.observe import pgoutput_writer as writer

LSN = st.integers(0, 2**63 - 1)
UNIX_US = st.integers(0, 2**52)
XID = st.integers(0, 2**32 - 1)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
COLUMNS = st.lists(st.builds(Column, NAME, XID), max_size=12).map(tuple)
VALUES = st.lists(st.one_of(st.none(), st.just(UNCHANGED), st.binary(max_size=40)), max_size=12)


@given(LSN, UNIX_US, XID)
def test_begin_round_trip(lsn: int, commit_us: int, xid: int) -> None:
    """A transaction's start comes back with its commit time as Unix time."""
    assert pgoutput.parse_message(writer.begin(lsn, commit_us, xid)) == Begin(lsn, commit_us, xid)


@given(LSN, LSN)
def test_commit_round_trip(lsn: int, end: int) -> None:
    """A transaction's end comes back."""
    assert pgoutput.parse_message(writer.commit(lsn, end)) == Commit(lsn, end)


@given(XID, NAME, NAME, COLUMNS)
def test_relation_round_trip(
    oid: int, schema: str, table: str, columns: tuple[Column, ...]
) -> None:
    """A table's layout comes back, whatever its names are made of."""
    message = writer.relation(oid, schema, table, columns)
    assert pgoutput.parse_message(message) == Relation(oid, schema, table, columns)


@given(XID, VALUES, st.booleans())
def test_insert_round_trip(oid: int, values: list[bytes | None], binary: bool) -> None:
    """A new row comes back, with NULLs and values left out."""
    message = writer.insert(oid, values, binary=binary)
    assert pgoutput.parse_message(message) == Row(oid, True, tuple(values))


@given(XID, VALUES, st.one_of(st.none(), VALUES), st.booleans())
def test_update_round_trip(
    oid: int, values: list[bytes | None], old: list[bytes | None] | None, binary: bool
) -> None:
    """Of an update only the new version comes back, old key or not."""
    message = writer.update(oid, values, old, binary=binary)
    assert pgoutput.parse_message(memoryview(message)) == Row(oid, False, tuple(values))


@given(LSN, LSN, st.binary(max_size=60))
def test_stream_frame_round_trip(start: int, end: int, payload: bytes) -> None:
    """A piece of the stream comes back."""
    frame = pgoutput.parse_frame(writer.xlog_data(start, end, payload))
    assert frame == XLogData(start, end, payload)


@given(LSN, st.booleans())
def test_keepalive_round_trip(end: int, reply_wanted: bool) -> None:
    """A sign of life comes back."""
    frame = pgoutput.parse_frame(writer.keepalive(end, reply_wanted=reply_wanted))
    assert frame == Keepalive(end, reply_wanted)


@given(st.binary(max_size=80))
def test_noise_is_refused_or_ignored(data: bytes) -> None:
    """Bytes that mean nothing give None or ValueError, never another error."""
    for parse in (pgoutput.parse_frame, pgoutput.parse_message):
        try:
            parse(data)
        except ValueError:
            continue


@given(XID, st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5), st.data())
def test_cut_row_is_refused(oid: int, values: list[bytes], data: st.DataObject) -> None:
    """A truncated row is never parsed as a shorter row."""
    message = writer.insert(oid, values)
    cut = message[: data.draw(st.integers(1, len(message) - 1))]
    with pytest.raises(ValueError, match=r"short|cannot be read|unknown|expected"):
        pgoutput.parse_message(cut)


def test_status_update_layout() -> None:
    """The client's message has the position three times and counts time from 2000."""
    data = pgoutput.status_update(7, PG_EPOCH_US + 5, reply_wanted=True)
    assert struct.unpack(">cQQQqB", data) == (b"r", 7, 7, 7, 5, 1)


def test_unknown_kinds_are_ignored() -> None:
    """Messages without row versions (delete, truncate, origin, type) are no error."""
    for kind in b"DTOYM":
        assert pgoutput.parse_message(bytes([kind]) + b"\0" * 30) is None
    assert pgoutput.parse_frame(b"x123") is None
