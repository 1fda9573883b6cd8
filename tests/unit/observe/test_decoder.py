from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.names import Contract, TaskTable
from harness.errors import StackError
from harness.observe.decoder import Decoder, RowVersion
from harness.observe.pgoutput import UNCHANGED, Column
from harness.observe.status_normalizer import make_status_normalizer
from tests.unit.observe import pgoutput_writer as writer

UUID_OID, TEXT_OID = 2950, 25
COLUMNS = (Column("id", UUID_OID), Column("trace_id", UUID_OID), Column("status", TEXT_OID))
TRACE = uuid.UUID("0123456789ab8001800000000000002a")
HIGH, LOW = TRACE.int >> 64, TRACE.int & (1 << 64) - 1
TEXT = str(TRACE).encode()


def decoder_after(*messages: bytes, table: TaskTable | None = None) -> Decoder:
    """A decoder that has decoded messages."""
    decoder = Decoder(table or TaskTable())
    decoder.oid = 9
    for message in messages:
        assert decoder.decode(message) is None
    return decoder


@given(st.uuids(), st.sampled_from(["INIT", "SIMULATED"]))
def test_row_carries_its_transaction(trace: uuid.UUID, status: str) -> None:
    """A row version gets time, position and id from the transaction around it."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS), writer.begin(700, 1_000_000, 55)
    )
    version = decoder.decode(writer.insert(9, [b"", str(trace).encode(), status.encode()]))
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
    assert decoder.decode(writer.insert(8, [b"", TEXT, b"INIT"])) is None
    assert decoder.unreadable == 0


def test_a_table_of_the_same_name_is_another_table() -> None:
    """An audit schema may have one of the same name and columns; only the oid differs."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS),
        writer.relation(8, "audit", "trade_tasks", COLUMNS),
    )
    assert decoder.decode(writer.insert(8, [b"", TEXT, b"SIMULATED"])) is None
    assert decoder.decode(writer.insert(9, [b"", TEXT, b"INIT"])) is not None


def test_order_of_columns_is_learnt_again() -> None:
    """A table that was changed under way announces itself again."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS),
        writer.relation(9, "public", "trade_tasks", COLUMNS[::-1]),
        writer.begin(1, 2, 3),
    )
    version = decoder.decode(writer.update(9, [b"INIT", TEXT, b""]))
    assert version == RowVersion(HIGH, LOW, "INIT", 2, 1, 3)


def test_one_transaction_yields_a_state_of_a_row_once() -> None:
    """However often it writes the row, as an ORM does; a later transaction yields it again."""
    decoder = decoder_after(
        writer.relation(9, "public", "trade_tasks", COLUMNS), writer.begin(1, 2, 3)
    )
    init, final = (writer.update(9, [b"", TEXT, status]) for status in (b"INIT", b"SIMULATED"))
    versions = [decoder.decode(one) for one in (init, init, final, final)]
    assert [one and one.status for one in versions] == ["INIT", None, "SIMULATED", None]
    assert decoder.decode(writer.begin(4, 5, 6)) is None
    again = decoder.decode(final)
    assert again is not None
    assert again.xid == 6


def test_statuses_are_spelled_as_the_contract_has_them() -> None:
    """Padding and case are those of the column's type, an encoding that is none is counted."""
    decoder = decoder_after(writer.relation(9, "public", "trade_tasks", COLUMNS))
    for type_name, sent, expected in (
        *(("bpchar", b"SIMULATED ", "SIMULATED"), ("text", b"SIMULATED ", "SIMULATED ")),
        *(("citext", b"simulated", "SIMULATED"), ("citext", b"odd", "odd")),
    ):
        decoder.spell = make_status_normalizer(Contract(), type_name)
        assert decoder.decode(writer.begin(1, 2, 3)) is None
        version = decoder.decode(writer.insert(9, [b"", TEXT, sent]))
        assert version is not None
        assert version.status == expected
    assert decoder.decode(writer.insert(9, [b"", TEXT, b"ERF\xdcLLT"])) is None
    assert decoder.unreadable == 1


def test_a_table_of_another_schema_is_another_table() -> None:
    """The relation decides, not its name; and ids are read as the column has them."""
    table = TaskTable(table="desk.jobs", trace_type="text", trace_prefix="ord-")
    row = writer.insert(9, [b"", b"ord-" + TEXT, b"INIT"])
    own = decoder_after(writer.relation(9, "desk", "jobs", COLUMNS), table=table)
    other = decoder_after(writer.relation(8, "old", "jobs", COLUMNS), table=table)
    found = own.decode(row)
    assert found is not None
    assert (found.trace_hi, found.trace_lo) == (HIGH, LOW)
    assert other.decode(writer.insert(8, [b"", b"ord-" + TEXT, b"INIT"])) is None
    assert own.decode(writer.insert(9, [b"", TEXT, b"INIT"])) is None
    assert own.unreadable == 1


@pytest.mark.parametrize("trace", [None, UNCHANGED, b"not a uuid", b"g" * 32, TRACE.hex.encode()])
def test_rows_without_a_uuid_are_counted(trace: bytes | None) -> None:
    """Unreadable rows are counted, not dropped silently."""
    decoder = decoder_after(writer.relation(9, "public", "trade_tasks", COLUMNS))
    assert decoder.decode(writer.insert(9, [b"", trace, b"INIT"])) is None
    assert decoder.unreadable == 1


def test_publication_without_status_is_an_error() -> None:
    """A publication that leaves out a needed column cannot be watched."""
    with pytest.raises(StackError, match="leaves out status"):
        decoder_after(writer.relation(9, "public", "trade_tasks", COLUMNS[:2]))
