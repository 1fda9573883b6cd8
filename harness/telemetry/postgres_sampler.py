"""PostgreSQL: connections, waits for locks, log and checkpoints, times of statements.

One connection of its own, known by its name, which is counted nowhere. A wait for a lock is often
over within a second; so waiters are looked for several times between two looks, by a query that
costs next to nothing while nobody waits.
"""

from __future__ import annotations

from typing import Any

import psycopg

from harness.clock import NS_PER_S, Clock
from harness.contract.names import Contract
from harness.observe.rows import table_name
from harness.telemetry.lock_waits import LockWaitSummary, count_waiters, read_waits
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.statement_times import StatementTimes

NAME = "harness_telemetry"
# Specified: fewer than 160 of 200 connections are at work.
ACTIVE_MAX = 160
_TIMEOUT_MS = 500
_CONNECT_S = 1
_RETRY_NS = NS_PER_S

# Sessions of the harness are not the system's. Of those that a login may not see, neither kind nor
# state is told; processes of the server itself are in no database.
_SYSTEM = (
    "coalesce(backend_type, 'client backend') = 'client backend' AND datid IS NOT NULL"
    " AND application_name NOT LIKE 'harness\\_%'"
)
_ACTIVITY = f"""
SELECT count(*) FILTER (WHERE state = 'active'), count(*), count(*) FILTER (WHERE state IS NULL)
FROM pg_stat_activity WHERE {_SYSTEM}
"""  # noqa: S608 - of constants
_WAL = "SELECT (pg_current_wal_lsn() - '0/0')::bigint"
_CHECKPOINT = "SELECT (checkpoint_lsn - '0/0')::bigint FROM pg_control_checkpoint()"
_NOBODY_TOLD = "this login may not see what sessions of others do; pg_read_all_stats lets it"


class PostgresSampler:
    """Looks at one server; reconnects when asked again after a failure.

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
        self._nonce_table = 0
        self._waits = LockWaitSummary()
        self._statements = StatementTimes()
        # What was refused once is not asked for again on this connection.
        self._refused: set[str] = set()

    def poll(self, sheet: SampleBatch) -> None:
        """Who waits for a lock at this moment."""
        connection = self._connected(sheet)
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
            self._lose(sheet, error)

    def sample(self, sheet: SampleBatch) -> None:
        """The server now, and the waits that were met since the last look."""
        self.poll(sheet)
        connection = self._connected(sheet)
        if connection is None:
            self._waits.reset()
            return
        try:
            sees_all = self._tell_activity(connection, sheet)
            sheet.total("postgres.wal_bytes_per_s", self._one(connection, sheet, "wal", _WAL))
            sheet.step(
                "postgres.checkpoint_count",
                self._one(connection, sheet, "checkpoint", _CHECKPOINT),
            )
            self._statements.sample(connection, sheet)
        except (psycopg.Error, OSError) as error:
            self._lose(sheet, error)
            return
        if sees_all:
            self._waits.write_to(sheet)
        else:  # nobody seen waiting is not nobody waiting
            self._waits.reset()

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self, sheet: SampleBatch) -> psycopg.Connection[Any] | None:
        if self._connection is not None:
            return self._connection
        if self._clock.now_ns() < self._retry_ns:
            return None
        try:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                application_name=NAME,
                connect_timeout=_CONNECT_S,
                options=f"-c statement_timeout={_TIMEOUT_MS} -c lock_timeout={_TIMEOUT_MS}",
                prepare_threshold=0,
            )
            self._refused = set()
            self._begin(self._connection, sheet)
        except (psycopg.Error, OSError) as error:
            self._lose(sheet, error)
            return None
        sheet.unread("postgres", None)
        return self._connection

    def _begin(self, connection: psycopg.Connection[Any], sheet: SampleBatch) -> None:
        row = connection.execute("SHOW max_connections").fetchone()
        if row:
            sheet.limit("postgres.connections_count", int(row[0]), "max_connections")
        sheet.limit("postgres.connections_active_count", ACTIVE_MAX, "specified")
        for name in ("lock_waiting_share", "nonce_waiting_share"):
            sheet.limit(f"postgres.{name}", 1, "")
        self._statements.begin(connection, sheet)
        if self._nonces is None:
            sheet.unread("postgres.nonce_waiters", "the contract names no table of nonces")
            return
        # Quoted, or to_regclass would fold capitals and find another table, or none.
        name = table_name(self._nonces).as_string(connection)
        found = connection.execute("SELECT to_regclass(%s)::oid::bigint", (name,)).fetchone()
        self._nonce_table = int(found[0]) if found and found[0] else 0
        missing = None if self._nonce_table else f"there is no table {self._nonces}"
        sheet.unread("postgres.nonce_waiters", missing)

    def _tell_activity(self, connection: psycopg.Connection[Any], sheet: SampleBatch) -> bool:
        """Connections; whether this login sees what the sessions do."""
        active, total, untold = connection.execute(_ACTIVITY).fetchone() or (0, 0, 0)
        sheet.gauge("postgres.connections_count", total)
        for subject in ("connections_active_count", "lock_waiters_count"):
            sheet.unread(f"postgres.{subject}", _NOBODY_TOLD if untold else None)
        if not untold:
            sheet.gauge("postgres.connections_active_count", active)
        return not untold

    def _one(
        self, connection: psycopg.Connection[Any], sheet: SampleBatch, subject: str, query: str
    ) -> int | None:
        """The one number of a query that a login or a server may refuse."""
        if subject in self._refused:
            return None
        try:
            row = connection.execute(query.encode()).fetchone()
        except (
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.ObjectNotInPrerequisiteState,
        ) as error:
            self._refused.add(subject)
            sheet.unread(f"postgres.{subject}", str(error).splitlines()[0])
            return None
        return int(row[0]) if row and row[0] is not None else None

    def _lose(self, sheet: SampleBatch, error: Exception) -> None:
        self.close()
        self._retry_ns = self._clock.now_ns() + _RETRY_NS
        words = str(error).strip().splitlines()
        sheet.unread("postgres", f"it does not answer: {words[0] if words else error!r}")
