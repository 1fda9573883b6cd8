"""From logical replication messages to row versions of the FSM table; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness.contract.names import TaskTable
from harness.errors import StackError
from harness.observe.pgoutput import UNCHANGED, Begin, Buffer, Commit, Relation, Row, parse_message

_TYPE_UUID = 2950
_TYPES_INTEGER = frozenset({20, 21, 23})
_LOW_64 = (1 << 64) - 1


class RowVersion(NamedTuple):
    """One committed version of an FSM row.

    Attributes:
        trace_hi: high 64 bits of the trace id.
        trace_lo: low 64 bits.
        status: the status as the system spells it.
        commit_us: the server's Unix time of the commit in microseconds; 0 when not known.
        lsn: WAL position of the commit; 0 when not known.
        xid: the transaction that wrote this version.
    """

    trace_hi: int
    trace_lo: int
    status: str
    commit_us: int
    lsn: int
    xid: int


class _Reading(NamedTuple):
    """How to read the two columns that matter."""

    trace_at: int
    trace_number: Callable[[bytes], int]
    status_at: int
    status_text: Callable[[bytes], str]


class Decoder:
    """Keeps what the stream says once (tables, the transaction) and tells row versions.

    Attributes:
        oid: the FSM table; others of a publication are left out, whatever they are called.
        unreadable: rows whose trace id is no UUID or was left out by the server.
        commit_end_lsn: end of the last transaction that was wholly received.
    """

    def __init__(self, table: TaskTable) -> None:
        self._table = table
        self.oid = 0
        self._readings: dict[int, _Reading] = {}
        self._begin = Begin(0, 0, 0)
        self.unreadable = 0
        self.commit_end_lsn = 0

    def take(self, payload: Buffer) -> RowVersion | None:
        """The row version in a message; None for any other message.

        Raises:
            ValueError: the message cannot be read.
            StackError: the publication does not carry the columns that are needed.
        """
        message = parse_message(payload)
        if isinstance(message, Row):
            return self._row(message)
        if isinstance(message, Begin):
            self._begin = message
        elif isinstance(message, Commit):
            self.commit_end_lsn = message.end_lsn
        elif isinstance(message, Relation):
            self._learn(message)
        return None

    def _row(self, row: Row) -> RowVersion | None:
        reading = self._readings.get(row.oid)
        if reading is None:  # another table of a publication that somebody else made
            return None
        trace, status = row.values[reading.trace_at], row.values[reading.status_at]
        if trace is None or status is None or UNCHANGED in (trace, status):
            self.unreadable += 1
            return None
        try:
            number = reading.trace_number(trace)
            text = reading.status_text(status)
        except ValueError:
            self.unreadable += 1
            return None
        begin = self._begin
        return RowVersion(
            number >> 64, number & _LOW_64, text, begin.commit_us, begin.commit_lsn, begin.xid
        )

    def _learn(self, relation: Relation) -> None:
        if relation.oid != self.oid:
            return
        places = {column.name: at for at, column in enumerate(relation.columns)}
        missing = {self._table.trace_id, self._table.status} - places.keys()
        if missing:
            raise StackError(
                f"the publication leaves out {', '.join(sorted(missing))}",
                where=f"table {relation.table}",
                hint="publish the trace id and the status, or correct the names in the contract",
            )
        trace_at, status_at = places[self._table.trace_id], places[self._table.status]
        trace_type = relation.columns[trace_at].type_oid
        status_type = relation.columns[status_at].type_oid
        self._readings[relation.oid] = _Reading(
            trace_at,
            _number_of_bytes if trace_type == _TYPE_UUID else _number_of_text,
            status_at,
            _integer_text if status_type in _TYPES_INTEGER else bytes.decode,
        )


def _number_of_bytes(value: bytes) -> int:
    # Binary is asked for, yet a server may send text where a type has no binary form.
    return int.from_bytes(value) if len(value) == 16 else _number_of_text(value)


def _number_of_text(value: bytes) -> int:
    digits = value.replace(b"-", b"")
    if len(digits) != 32:
        raise ValueError("not a UUID")
    return int(digits, 16)


def _integer_text(value: bytes) -> str:
    return str(int.from_bytes(value, signed=True))
