from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.names import TaskTable
from harness.errors import StackError
from harness.observe.decoder import Decoder, RowVersion
from harness.observe.pgoutput import UNCHANGED, Column
from tests.unit.observe import pgoutput_writer as writer

UUID_OID, TEXT_OID, INT4_OID = 2950, 25, 23
COLUMNS = (Column("id", UUID_OID), Column("trace_id", UUID_OID), Column("status", TEXT_OID))
TRACE = uuid.UUID("0123456789ab8001800000000000002a")
HIGH, LOW = TRACE.int >> 64, TRACE.int & (1 << 64) - 1


def decoder_after(*messages: bytes) -> Decoder:
    """A decoder that has taken messages."""
    decoder = Decoder(TaskTable())
    decoder.oid = 9
    for message in messages:
        assert decoder.take(message) is None
    return decoder


@given(st.uuids(), st.sampled_from(["INIT", "SIMULATED"]), st.booleans())
def test_row_carries_its_transaction(trace: uuid.UUID, status: str, as_text: bool) -> None:
    """A row version gets time, position and id from the transaction around it."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS), writer.begin(700, 1_000_000, 55)
    )
    value = str(trace).encode() if as_text else trace.bytes
    version = decoder.take(writer.insert(9, [b"", value, status.encode()], binary=not as_text))
    assert version == RowVersion(
        trace.int >> 64, trace.int & (1 << 64) - 1, status, 1_000_000, 700, 55
    )


def test_commit_end_is_kept() -> None:
    """The end of the last whole transaction is what may be confirmed."""
    decoder = decoder_after(writer.begin(700, 1, 55), writer.commit(700, 740))
    assert decoder.commit_end_lsn == 740


def test_other_tables_are_left_out() -> None:
    """A publication of more tables does not confuse."""
    decoder = decoder_after(writer.relation(8, "public", "ledger_entries", COLUMNS))
    assert decoder.take(writer.insert(8, [b"", TRACE.bytes, b"INIT"])) is None
    assert decoder.unreadable == 0


def test_a_table_of_the_same_name_is_another_table() -> None:
    """An audit schema may hold one of the same name and columns; only the oid tells them apart."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS),
        writer.relation(8, "audit", "trade_tasks", COLUMNS),
    )
    assert decoder.take(writer.insert(8, [b"", str(TRACE).encode(), b"SIMULATED"])) is None
    assert decoder.take(writer.insert(9, [b"", str(TRACE).encode(), b"INIT"])) is not None


def test_order_of_columns_is_learnt_again() -> None:
    """A table that was changed under way announces itself again."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS),
        writer.relation(9, "public", "trade_tasks", COLUMNS[::-1]),
        writer.begin(1, 2, 3),
    )
    version = decoder.take(writer.update(9, [b"INIT", TRACE.bytes, b""]))
    assert version == RowVersion(HIGH, LOW, "INIT", 2, 1, 3)


def test_integer_status_is_told_as_digits() -> None:
    """A system may number its states; the contract maps the digits."""
    columns = (Column("trace_id", UUID_OID), Column("status", INT4_OID))
    decoder = decoder_after(writer.relation(9, "public", "trade_tasks", columns))
    version = decoder.take(writer.insert(9, [TRACE.bytes, (12).to_bytes(4)]))
    assert version is not None
    assert version.status == "12"


@pytest.mark.parametrize("trace", [None, UNCHANGED, b"not a uuid", b"g" * 32])
def test_rows_without_a_uuid_are_counted(trace: bytes | None) -> None:
    """What cannot be told is counted, not dropped in silence."""
    decoder = decoder_after(writer.relation(9, "public", "trade_tasks", COLUMNS))
    assert decoder.take(writer.insert(9, [b"", trace, b"INIT"])) is None
    assert decoder.unreadable == 1


def test_publication_without_status_is_an_error() -> None:
    """A publication that leaves out a needed column cannot be watched."""
    with pytest.raises(StackError, match="leaves out status"):
        decoder_after(writer.relation(9, "public", "trade_tasks", COLUMNS[:2]))
