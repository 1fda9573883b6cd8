"""Queries for a run's FSM rows, with their commit times where the server keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from psycopg import Connection, Cursor, sql

from harness.clock import NS_PER_MS
from harness.contract.names import Contract, TaskTable
from harness.contract.relation_name import name_parts
from harness.contract.trace_column import TraceColumn
from harness.observe.connection import is_pooled
from harness.observe.decoder import RowVersion
from harness.observe.snapshot import XID_WRAP, snapshot_xmin

_BATCH = 5_000


def table_name(name: str) -> sql.Composable:
    """A table's name, with its schema when it has one, quoted exactly as it is written."""
    return sql.Identifier(*name_parts(name))


def is_own_row(table: TraceColumn, column: str) -> sql.Composed:
    """The condition that a row's trace id lies in a range; its two values are `run_range`'s.

    The range compares bytes, which only the collation "C" does. The reader skips text in it that
    is no trace id: a pattern would be matched against every row at every poll.
    """
    collation = sql.SQL(' COLLATE "C"' if table.trace_type == "text" else "")
    name = sql.Identifier(column) + collation
    return sql.SQL("{name} >= %s AND {name} <= %s").format(name=name)


def task_rows(tasks: TaskTable, columns: Mapping[str, sql.Composable]) -> sql.Composed:
    """The FSM rows, with archived ones, as a relation that has these columns.

    Column `origin` numbers the tables.
    """
    chosen = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in columns.items()
    )
    parts = [
        sql.SQL("SELECT {} AS origin, {} FROM {}").format(
            sql.Literal(origin), chosen, table_name(table)
        )
        for origin, table in enumerate((tasks.table, tasks.archive))
        if table is not None
    ]
    return sql.SQL("({}) harness_rows").format(sql.SQL(" UNION ALL ").join(parts))


def whole_number(column: str | None) -> sql.Composable:
    """A column as bigint, whatever its type; null for other values (NaN, text, too large)."""
    if column is None:
        return sql.NULL
    return sql.SQL(
        "CASE WHEN {name}::text ~ '^-?[0-9]{{1,18}}(\\.0*)?$'"
        " THEN {name}::text::numeric::bigint END"
    ).format(name=sql.Identifier(column))


def keeps_commit_times(connection: Connection[Any]) -> bool:
    """Whether `track_commit_timestamp` is on; otherwise a poll finds no commit times."""
    row = connection.execute("SHOW track_commit_timestamp").fetchone()
    return row is not None and row[0] == "on"


def hides_rows(connection: Connection[Any], table: str) -> bool:
    """Whether row-level security may hide rows of a table from this login."""
    name = table_name(table).as_string(connection)
    row = connection.execute("SELECT row_security_active(to_regclass(%s))", (name,)).fetchone()
    return row is not None and row[0] is True


def limit_query_time(connection: Connection[Any], limit_ns: int) -> None:
    """Set the statement timeout of this connection.

    Not through a pooler, where it would stay with a session of the server that others use next.
    There the role has one of its own, which a check before the load demands.
    """
    if is_pooled(connection.info.get_parameters()):
        return
    connection.execute(
        sql.SQL("SET statement_timeout = {}").format(sql.Literal(max(1, limit_ns // NS_PER_MS)))
    )


class RunRows:
    """The row versions of one run that a snapshot shows, from a transaction id on.

    Args:
        contract: names of table and columns.
        run_tag: run whose rows are read.
        spell: normalises a status to the contract's spelling.
        commit_times: whether the server keeps commit times.
    """

    def __init__(
        self,
        contract: Contract,
        run_tag: int,
        spell: Callable[[str], str] = str,
        *,
        commit_times: bool,
    ) -> None:
        self._spell = spell
        self._tasks = contract.tasks
        self._range = self._tasks.run_range(run_tag)
        columns = {
            "trace": sql.Identifier(self._tasks.trace_id),
            "status": sql.Identifier(self._tasks.status),
            "version": sql.SQL("xmin"),
        }
        # The comparison of 32-bit ids is circular, as PostgreSQL's own is.
        self._query = sql.SQL(
            "SELECT s.snapshot, t.trace, t.status, t.xid, t.commit_us"
            " FROM (SELECT pg_current_snapshot()::text AS snapshot) s"
            " LEFT JOIN (SELECT trace::text, status::text,"
            " version::text::bigint AS xid, {commit} AS commit_us FROM {rows}"
            " WHERE {own}"
            " AND (%s::bigint IS NULL"
            " OR (version::text::bigint - %s + {wrap}) %% {wrap} < {half})) t ON true"
        ).format(
            rows=task_rows(self._tasks, columns),
            own=is_own_row(self._tasks, "trace"),
            wrap=sql.Literal(XID_WRAP),
            half=sql.Literal(XID_WRAP // 2),
            commit=sql.SQL(
                "(extract(epoch FROM pg_xact_commit_timestamp(version)) * 1000000)::bigint"
                if commit_times
                else "0"
            ),
        )

    def query(self, horizon: int | None) -> tuple[sql.Composed, tuple[Any, ...]]:
        """The query and its values."""
        low, high = self._range
        since = None if horizon is None else horizon % XID_WRAP
        return self._query, (low, high, since, since)

    def read(self, cursor: Cursor[Any], horizon: int | None) -> tuple[int, Iterator[RowVersion]]:
        """Row versions by transactions from `horizon` on (None: all), and the snapshot's xmin."""
        cursor.execute(*self.query(horizon))
        first = cursor.fetchone()
        if first is None:
            raise ValueError("the query returned no snapshot")
        return snapshot_xmin(first[0]), self._versions(cursor, first)

    def _versions(self, cursor: Cursor[Any], first: tuple[Any, ...]) -> Iterator[RowVersion]:
        batch = [first]
        while batch:
            for _, trace, status, xid, commit_us in batch:
                ids = None if trace is None or status is None else self._tasks.read(trace)
                if ids is not None:
                    yield RowVersion(*ids, self._spell(status), commit_us or 0, 0, xid)
            batch = cursor.fetchmany(_BATCH)
