"""Reading a run's FSM rows by query, with the time of their commit where the server keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, Cursor, sql

from harness.clock import NS_PER_MS
from harness.contract.ledger import TraceType
from harness.contract.names import Contract
from harness.contract.relation_name import name_parts
from harness.contract.trace_id import parse, run_range
from harness.observe.decoder import RowVersion
from harness.observe.snapshot import XID_WRAP, snapshot_xmin

_PORTION = 5_000
# A column of text may hold anything.
_UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def table_name(name: str) -> sql.Composable:
    """A table's name, with its schema when it has one, quoted exactly as it is written."""
    return sql.Identifier(*name_parts(name))


def is_own_row(column: str, trace_type: TraceType) -> sql.Composed:
    """The condition that a row's trace id is of one run; its two values come from `run_range`.

    The range is one of bytes, as only the collation "C" orders text.
    """
    name = sql.Identifier(column)
    if trace_type == "uuid":
        return sql.SQL("{name} >= %s AND {name} <= %s").format(name=name)
    return sql.SQL(
        '{name} COLLATE "C" >= %s AND {name} COLLATE "C" <= %s AND {name} ~ {pattern}'
    ).format(name=name, pattern=sql.Literal(_UUID_PATTERN))


def keeps_commit_times(connection: Connection[Any]) -> bool:
    """Whether `track_commit_timestamp` is on, without which a poll knows no commit time."""
    row = connection.execute("SHOW track_commit_timestamp").fetchone()
    return row is not None and row[0] == "on"


def limit_query_time(connection: Connection[Any], limit_ns: int) -> None:
    """Let the server end any later query of this connection that takes longer."""
    connection.execute(
        sql.SQL("SET statement_timeout = {}").format(sql.Literal(max(1, limit_ns // NS_PER_MS)))
    )


class RunRows:
    """The row versions of one run that a snapshot shows, from a transaction id on.

    Args:
        contract: names of table and columns.
        run_tag: whose rows.
        commit_times: whether the server can tell commit times.
    """

    def __init__(self, contract: Contract, run_tag: int, *, commit_times: bool) -> None:
        tasks = contract.tasks
        self._range = run_range(run_tag)
        # The comparison of 32-bit ids is circular, as PostgreSQL's own is.
        self._query = sql.SQL(
            "SELECT s.snapshot, t.trace, t.status, t.xid, t.commit_us"
            " FROM (SELECT pg_current_snapshot()::text AS snapshot) s"
            " LEFT JOIN (SELECT {trace}::text AS trace, {status}::text AS status,"
            " xmin::text::bigint AS xid, {commit} AS commit_us FROM {table}"
            " WHERE {own}"
            " AND (%s::bigint IS NULL"
            " OR (xmin::text::bigint - %s + {wrap}) %% {wrap} < {half})) t ON true"
        ).format(
            trace=sql.Identifier(tasks.trace_id),
            own=is_own_row(tasks.trace_id, tasks.trace_type),
            status=sql.Identifier(tasks.status),
            table=table_name(tasks.table),
            wrap=sql.Literal(XID_WRAP),
            half=sql.Literal(XID_WRAP // 2),
            commit=sql.SQL(
                "(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
                if commit_times
                else "0"
            ),
        )

    def question(self, horizon: int | None) -> tuple[sql.Composed, tuple[Any, ...]]:
        """The query and its values."""
        low, high = self._range
        since = None if horizon is None else horizon % XID_WRAP
        return self._query, (low, high, since, since)

    def read(self, cursor: Cursor[Any], horizon: int | None) -> tuple[int, Iterator[RowVersion]]:
        """Row versions by transactions from `horizon` on (None: all), and the snapshot's xmin."""
        cursor.execute(*self.question(horizon))
        first = cursor.fetchone()
        if first is None:
            raise ValueError("a snapshot was asked for and none came")
        return snapshot_xmin(first[0]), _versions(cursor, first)


def _versions(cursor: Cursor[Any], first: tuple[Any, ...]) -> Iterator[RowVersion]:
    portion = [first]
    while portion:
        for _, trace, status, xid, commit_us in portion:
            if trace is not None and status is not None:
                trace_hi, trace_lo = parse(trace)
                yield RowVersion(trace_hi, trace_lo, status, commit_us or 0, 0, xid)
        portion = cursor.fetchmany(_PORTION)
