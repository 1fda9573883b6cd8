"""From logical replication messages to row versions of the FSM table; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness.contract.names import TaskTable
from harness.errors import StackError
from harness.observe.pgoutput import UNCHANGED, Begin, Buffer, Commit, Relation, Row, parse_message


class RowVersion(NamedTuple):
    """One committed version of an FSM row.

    Attributes:
        trace_hi: high 64 bits of the trace id.
        trace_lo: low 64 bits.
        status: the status in the spelling of the system.
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


class Decoder:
    """Keeps tables and the current transaction of the stream, and yields row versions.

    Values are text, as SQL writes them: the binary form of a domain is not known. Of the versions
    that one transaction makes of a row in one state only the first counts: no other session ever
    saw the rest.

    Args:
        table: names of the columns.

    Attributes:
        oid: the FSM table; other tables of a publication are left out.
        spell: normalises a status to the contract's spelling.
        unreadable: rows whose trace id has another form, or was left out by the server.
        commit_end_lsn: end of the last transaction that was wholly received.
    """

    def __init__(self, table: TaskTable) -> None:
        self._table = table
        self.oid = 0
        self._places: dict[int, tuple[int, int]] = {}
        self._begin = Begin(0, 0, 0)
        self._reported: set[tuple[int, int, str]] = set()
        self.spell: Callable[[str], str] = str
        self.unreadable = 0
        self.commit_end_lsn = 0

    def decode(self, payload: Buffer) -> RowVersion | None:
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
            self._reported.clear()
        elif isinstance(message, Commit):
            self.commit_end_lsn = message.end_lsn
        elif isinstance(message, Relation):
            self._learn(message)
        return None

    def _row(self, row: Row) -> RowVersion | None:
        places = self._places.get(row.oid)
        if places is None:  # another table of the same publication
            return None
        trace, status = (row.values[at] for at in places)
        if trace is None or status is None or UNCHANGED in (trace, status):
            self.unreadable += 1
            return None
        try:
            ids, text = self._table.read(trace.decode()), self.spell(status.decode())
        except ValueError:
            ids = None
        if ids is None:
            self.unreadable += 1
            return None
        key = (*ids, text)
        if key in self._reported:
            return None
        self._reported.add(key)
        begin = self._begin
        return RowVersion(*key, begin.commit_us, begin.commit_lsn, begin.xid)

    def _learn(self, relation: Relation) -> None:
        if relation.oid != self.oid:
            return
        places = {column.name: at for at, column in enumerate(relation.columns)}
        needed = (self._table.trace_id, self._table.status)
        if missing := set(needed) - places.keys():
            raise StackError(
                f"the publication leaves out {', '.join(sorted(missing))}",
                where=f"table {relation.table}",
                hint="publish the trace id and the status, or correct the names in the contract",
            )
        self._places[relation.oid] = (places[needed[0]], places[needed[1]])
