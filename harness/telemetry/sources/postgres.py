"""PostgreSQL: connections, lock waits, log and checkpoints, times of statements.

It has one connection of its own, which its name excludes from all counts. A lock wait is often
over within a second; so waiters are polled several times between two samples, by a query that
costs next to nothing while no session waits.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psycopg
from psycopg import sql

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.contract.names import Contract
from harness.observe.connection import connect
from harness.observe.rows import table_name
from harness.telemetry.lock_waits import (
    LockWaitSummary,
    count_waiters,
    is_for_update,
    read_waits,
)
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.source import Source, SourceContext, telemetry_source

NAME = "harness_telemetry"
# Specified: fewer than 160 of 200 connections are at work.
ACTIVE_MAX = 160
# Longest interval between two polls for waiters.
POLL_EVERY_NS = 200 * NS_PER_MS
_TIMEOUT_MS = 500
_CONNECT_S = 1
_RETRY_NS = NS_PER_S

# Sessions of the harness are not the system's. Kind and state of sessions that the login may not
# see are NULL; processes of the server itself have no database.
_SYSTEM = (
    "coalesce(backend_type, 'client backend') = 'client backend' AND datid IS NOT NULL"
    " AND application_name NOT LIKE 'harness\\_%'"
)
_ACTIVITY = f"""
SELECT count(*) FILTER (WHERE state = 'active'), count(*), count(*) FILTER (WHERE state IS NULL)
FROM pg_stat_activity WHERE {_SYSTEM}
"""  # noqa: S608 - of constants
_WAL = "SELECT (pg_current_wal_lsn() - '0/0')::bigint"
# It asks for the size of each file of the database, so not with every sample.
_SIZE = "SELECT pg_database_size(current_database())"
_SIZE_EVERY_NS = 10 * NS_PER_S
_CHECKPOINT = "SELECT (checkpoint_lsn - '0/0')::bigint FROM pg_control_checkpoint()"
_NO_STATES = "this login may not see what sessions of others do; pg_read_all_stats lets it"

_KINDS = ("select", "insert", "update", "delete")
_EXTENSION_SCHEMA = """
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
# Without the texts: they lie in a file that the server would read as a whole each time.
_TIMES = """
SELECT queryid, sum(calls)::bigint, sum(total_exec_time) FROM {}.pg_stat_statements(false)
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY queryid
"""
_TEXTS = "SELECT queryid, min(query) FROM {}.pg_stat_statements(true) GROUP BY queryid"
_NO_STATEMENTS = "the server does not keep pg_stat_statements"


class PostgresSampler(Source):
    """Samples one server; reconnects at a later sample after a failure.

    Args:
        conninfo: of a role that may see the sessions of others.
        contract: names of the tables.
        clock: times of waits, and when to try again.
    """

    def __init__(self, conninfo: str, contract: Contract, clock: Clock) -> None:
        self._conninfo = conninfo
        self._nonces = contract.nonces.table if contract.nonces else None
        self._clock = clock
        self._connection: psycopg.Connection[Any] | None = None
        self._retry_ns = 0
        self._size_due_ns = 0
        self._nonce_table = 0
        self._waits = LockWaitSummary()
        self._statements = StatementTimes()
        # A query that was refused once is not sent again on this connection.
        self._refused: set[str] = set()

    def poll(self, batch: SampleBatch) -> None:
        """The sessions that wait for a lock at this moment."""
        connection = self._connected(batch)
        if connection is None:
            return
        try:
            waiting = count_waiters(connection)
            now_ns = self._clock.now_ns()
            if waiting == 0:
                self._waits.add((), now_ns)
            else:
                self._waits.add(read_waits(connection, self._nonce_table), now_ns)
        except (psycopg.Error, OSError) as error:
            self._lose(batch, error)

    def sample(self, batch: SampleBatch) -> None:
        """The server now, and the lock waits of all polls since the previous sample."""
        self.poll(batch)
        connection = self._connected(batch)
        if connection is None:
            self._waits.reset()
            return
        try:
            sees_all = self._put_activity(connection, batch)
            batch.total("postgres.wal_bytes_per_s", self._one(connection, batch, "wal", _WAL))
            batch.step(
                "postgres.checkpoint_count",
                self._one(connection, batch, "checkpoint", _CHECKPOINT),
            )
            self._put_size(connection, batch)
            self._statements.sample(connection, batch)
        except (psycopg.Error, OSError) as error:
            self._lose(batch, error)
            return
        if sees_all:
            self._waits.write_to(batch)
        else:  # waiters that this login cannot see may exist
            self._waits.reset()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self, batch: SampleBatch) -> psycopg.Connection[Any] | None:
        if self._connection is not None:
            return self._connection
        if self._clock.now_ns() < self._retry_ns:
            return None
        try:
            self._connection = connect(
                self._conninfo,
                autocommit=True,
                application_name=NAME,
                connect_timeout=_CONNECT_S,
                options=f"-c statement_timeout={_TIMEOUT_MS} -c lock_timeout={_TIMEOUT_MS}",
                prepare_threshold=0,
            )
            self._refused = set()
            self._begin(self._connection, batch)
        except (psycopg.Error, OSError) as error:
            self._lose(batch, error)
            return None
        batch.unread("postgres", None)
        return self._connection

    def _begin(self, connection: psycopg.Connection[Any], batch: SampleBatch) -> None:
        row = connection.execute("SHOW max_connections").fetchone()
        if row:
            batch.limit("postgres.connections_count", int(row[0]), "max_connections")
        batch.limit("postgres.connections_active_count", ACTIVE_MAX, "specified")
        for name in ("lock_waiting_share", "nonce_waiting_share"):
            batch.limit(f"postgres.{name}", 1, "")
        self._statements.begin(connection, batch)
        if self._nonces is None:
            batch.unread("postgres.nonce_waiters", "the contract names no table of nonces")
            return
        # Quoted, or to_regclass would fold capitals and find another table, or none.
        name = table_name(self._nonces).as_string(connection)
        found = connection.execute("SELECT to_regclass(%s)::oid::bigint", (name,)).fetchone()
        self._nonce_table = int(found[0]) if found and found[0] else 0
        missing = None if self._nonce_table else f"there is no table {self._nonces}"
        batch.unread("postgres.nonce_waiters", missing)

    def _put_activity(self, connection: psycopg.Connection[Any], batch: SampleBatch) -> bool:
        """Put the connections into the batch; whether this login sees what the sessions do."""
        active, total, hidden = connection.execute(_ACTIVITY).fetchone() or (0, 0, 0)
        batch.gauge("postgres.connections_count", total)
        for subject in ("connections_active_count", "lock_waiters_count"):
            batch.unread(f"postgres.{subject}", _NO_STATES if hidden else None)
        if not hidden:
            batch.gauge("postgres.connections_active_count", active)
        return not hidden

    def _put_size(self, connection: psycopg.Connection[Any], batch: SampleBatch) -> None:
        now_ns = self._clock.now_ns()
        if now_ns >= self._size_due_ns:
            self._size_due_ns = now_ns + _SIZE_EVERY_NS
            batch.gauge("postgres.database_bytes", self._one(connection, batch, "size", _SIZE))

    def _one(
        self, connection: psycopg.Connection[Any], batch: SampleBatch, subject: str, query: str
    ) -> int | None:
        """The single number of a query that the server may refuse to this login."""
        if subject in self._refused:
            return None
        try:
            row = connection.execute(query.encode()).fetchone()
        except (
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.ObjectNotInPrerequisiteState,
        ) as error:
            self._refused.add(subject)
            batch.unread(f"postgres.{subject}", str(error).splitlines()[0])
            return None
        return int(row[0]) if row and row[0] is not None else None

    def _lose(self, batch: SampleBatch, error: Exception) -> None:
        self.close()
        self._retry_ns = self._clock.now_ns() + _RETRY_NS
        lines = str(error).strip().splitlines()
        batch.unread("postgres", f"it does not answer: {lines[0] if lines else error!r}")


class StatementTimes:
    """Mean times of statements by kind, where the server keeps pg_stat_statements."""

    def __init__(self) -> None:
        self._schema: str | None = None
        self._kinds: dict[int, str] = {}

    def begin(self, connection: psycopg.Connection[Any], batch: SampleBatch) -> None:
        """Find the schema of the extension.

        Raises:
            psycopg.Error: the server does not answer.
        """
        row = connection.execute(_EXTENSION_SCHEMA).fetchone()
        self._schema = str(row[0]) if row else None
        batch.unread("postgres.statement_ms", None if self._schema else _NO_STATEMENTS)

    def sample(self, connection: psycopg.Connection[Any], batch: SampleBatch) -> None:
        """Times and counts of each kind so far.

        Raises:
            psycopg.Error: the server does not answer.
        """
        if self._schema is None:
            return
        schema = sql.Identifier(self._schema)
        try:
            rows = connection.execute(sql.SQL(_TIMES).format(schema)).fetchall()
            if any(row[0] not in self._kinds for row in rows):
                texts = connection.execute(sql.SQL(_TEXTS).format(schema)).fetchall()
                self._kinds |= {number: kind_of(text or "") for number, text in texts}
        except (
            psycopg.errors.ObjectNotInPrerequisiteState,
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.UndefinedFunction,
        ) as error:
            self._schema = None  # the database has the extension, the server has not loaded it
            batch.unread("postgres.statement_ms", str(error).splitlines()[0])
            return
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for number, calls, total_ms in rows:
            of_kind = sums[self._kinds.get(number, "other")]
            of_kind[0] += float(total_ms)
            of_kind[1] += int(calls)
        for kind, (total_ms, calls) in sums.items():
            batch.mean(f"postgres.statement_ms.{kind}", total_ms, calls)


def kind_of(statement: str) -> str:
    """`select`, `select_for_update`, `insert`, `update`, `delete` or `other`."""
    parts = statement.split(None, 1)
    first = parts[0].lower() if parts else ""
    if first == "with":
        first = next((kind for kind in reversed(_KINDS) if f"{kind} " in statement.lower()), first)
    if first == "select" and is_for_update(statement):
        return "select_for_update"
    return first if first in _KINDS else "other"


@telemetry_source("postgres", poll_every_ns=POLL_EVERY_NS)
def make_postgres(context: SourceContext) -> PostgresSampler:
    """The PostgreSQL of the plan."""
    conninfo = context.plan.conninfo.get_secret_value()
    return PostgresSampler(conninfo, context.plan.contract, context.clock)
