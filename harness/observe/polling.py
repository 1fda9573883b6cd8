"""Observing commits by polling; for servers whose `wal_level` is below `logical`.

A poll finds every current row version, whatever the order of commits (see `snapshot`), but
a version that is replaced between two polls is never seen. One poll reads every row of the run,
because no index has a row's age, so the pause between polls grows with the run. A version that a
poll finds was not visible to the previous poll, so the time at which that poll was sent is a lower
bound of the commit time.
"""

from __future__ import annotations

from typing import Any

import psycopg

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.contract.names import Contract
from harness.errors import StackError, error_text
from harness.observe.connection import connect
from harness.observe.plan import ObserverPlan
from harness.observe.rows import RunRows, hides_rows, keeps_commit_times, limit_query_time
from harness.observe.snapshot import VersionDeduplicator, snapshot_xmin
from harness.observe.status_normalizer import read_status_normalizer
from harness.observe.watcher import Versions, WatcherLost

# The pause is this many times as long as the previous poll, so that polling keeps one backend
# busy for a fifth of the time at most.
_PAUSE_SHARE = 4
_POLL_LIMIT_NS = 10 * NS_PER_S
# A commit may be flushed a moment before other sessions see it; the second poll does.
_POLLS_TO_HAVE_ALL = 2


class PollingWatcher:
    """Polls the FSM table of one run over an ordinary connection.

    Args:
        conninfo: of a role that may read the FSM table.
        contract: names of table and columns.
        run_tag: run whose rows are read; others are never seen.
        clock: monotonic time and sleep.

    Attributes:
        filtered: whether row-level security may hide rows from the role.
    """

    def __init__(self, conninfo: str, contract: Contract, run_tag: int, clock: Clock) -> None:
        self._conninfo = conninfo
        self._contract = contract
        self._run_tag = run_tag
        self._clock = clock
        self._pause_ns = contract.seen.pause_ms * NS_PER_MS
        self._connection: psycopg.Connection[Any] | None = None
        self._rows: RunRows | None = None
        self._deduplicator: VersionDeduplicator | None = None
        self._due_ns = 0
        self._polls = 0
        self._asked: tuple[int, int] = (-1, 0)
        self.seen_ns = 0
        self.covered_ns = 0
        self.received_lsn = 0
        self.unreadable = 0
        self.filtered = False

    def open(self, deadline_ns: int) -> None:
        self.close()
        left_s = max(2, (deadline_ns - self._clock.now_ns()) // NS_PER_S)
        try:
            connection = connect(
                self._conninfo,
                autocommit=True,
                application_name="harness_observer",
                connect_timeout=left_s,
            )
            self._connection = connection
            limit_query_time(connection, _POLL_LIMIT_NS)
            self._rows = RunRows(
                self._contract,
                self._run_tag,
                read_status_normalizer(connection, self._contract),
                commit_times=keeps_commit_times(connection),
            )
            self.filtered = hides_rows(connection, self._contract.tasks.table)
            if self._deduplicator is None:  # its horizon stays valid after a lost connection
                row = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
                self._deduplicator = VersionDeduplicator(snapshot_xmin(row[0] if row else ""))
            self._poll(connection)
        except psycopg.OperationalError as error:
            self.close()
            raise WatcherLost(error_text(error, with_type=False)) from error
        except psycopg.Error as error:
            self.close()
            raise StackError(
                f"PostgreSQL refused the poll: {error_text(error, with_type=False)}",
                where="observer",
                hint="the observer's role needs SELECT on the table that the contract names",
            ) from error

    def poll(self, timeout_ns: int) -> Versions:
        if self._connection is None:
            raise WatcherLost("not connected")
        wait_ns = self._due_ns - self._clock.now_ns()
        if wait_ns > 0:
            self._clock.sleep_ns(min(wait_ns, timeout_ns))
            if wait_ns > timeout_ns:
                return ()
        try:
            return self._poll(self._connection)
        except (psycopg.Error, UnicodeError) as error:
            raise WatcherLost(error_text(error, with_type=False)) from error

    def has_all(self, lsn: int) -> bool:
        if lsn != self._asked[0]:
            self._asked = (lsn, self._polls)
        return self._polls >= self._asked[1] + _POLLS_TO_HAVE_ALL

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _poll(self, connection: psycopg.Connection[Any]) -> Versions:
        if self._rows is None or self._deduplicator is None:
            return ()
        begin_ns = self._clock.now_ns()
        deduplicator = self._deduplicator
        with connection.cursor() as cursor:
            xmin, versions = self._rows.read(cursor, deduplicator.horizon)
            self.seen_ns = self._clock.now_ns()
            fresh = [v for v in versions if deduplicator.is_new(v.trace_hi, v.trace_lo, v.xid)]
        deduplicator.advance(xmin)
        # Its snapshot began after that, so it showed everything that was visible by then.
        self.covered_ns = begin_ns
        self._polls += 1
        now_ns = self._clock.now_ns()
        self._due_ns = now_ns + max(self._pause_ns, _PAUSE_SHARE * (now_ns - begin_ns))
        return fresh


def make_watcher(plan: ObserverPlan, clock: Clock) -> PollingWatcher:
    """The watcher of a plan."""
    return PollingWatcher(plan.observer_dsn.get_secret_value(), plan.contract, plan.run_tag, clock)
