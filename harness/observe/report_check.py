"""Checks a few of the system's status reports against its table.

A system that reports a state before it commits it appears faster than it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.contract import trace_id
from harness.contract.names import Contract, State
from harness.observe.connection import connect
from harness.observe.rows import limit_query_time, task_rows
from harness.observe.watcher import Versions

EVERY_NS = 250 * NS_PER_MS
# A state that is not committed by then counts as never committed.
_WAIT_NS = 5 * NS_PER_S
_QUERY_LIMIT_NS = NS_PER_S
_CONNECT_S = 2


class _Pending(NamedTuple):
    """A report that the table does not confirm yet."""

    trace: str
    seen_ns: int


class ReportCheck:
    """Queries the row of a signal as soon as the system has reported that it is final.

    Args:
        conninfo: of a role that may read the FSM table.
        contract: names of table and columns.
        clock: monotonic time.
    """

    def __init__(self, conninfo: str, contract: Contract, clock: Clock) -> None:
        self._conninfo = conninfo
        self._contract = contract
        self._clock = clock
        tasks = contract.tasks
        columns = {
            "trace": sql.Identifier(tasks.trace_id),
            "status": sql.Identifier(tasks.status),
        }
        self._query = sql.SQL("SELECT status::text FROM {} WHERE trace = %s").format(
            task_rows(tasks, columns)
        )
        self._connection: psycopg.Connection[Any] | None = None
        self._pending: _Pending | None = None
        self._due_ns = 0
        self._checked = self._early = 0
        self._early_max_ns: int | None = 0

    def check(self, versions: Versions, seen_ns: int) -> None:
        """Check one of these reports against the table, if a check is due."""
        try:
            if self._pending is not None:
                self._check_again(self._pending)
            elif seen_ns >= self._due_ns:
                self._check_first(versions, seen_ns)
        except psycopg.Error:  # other parts of the harness report a server that fails
            self.close()
            self._pending, self._due_ns = None, seen_ns + EVERY_NS

    def facts(self) -> dict[str, Any]:
        """The fields of `observer.json`."""
        return {
            "words_checked": self._checked,
            "words_early": self._early,
            "words_early_max_ns": self._early_max_ns,
        }

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check_first(self, versions: Versions, seen_ns: int) -> None:
        final = [one for one in versions if self._contract.state(one.status).is_final]
        if not final:
            return
        self._due_ns = seen_ns + EVERY_NS
        newest = final[-1]
        trace = self._contract.tasks.format_id(trace_id.text(newest.trace_hi, newest.trace_lo))
        shown = self._is_final(trace)
        self._checked += 1
        if not shown:
            self._early += 1
            self._pending = _Pending(trace, seen_ns)

    def _check_again(self, pending: _Pending) -> None:
        shown, late_ns = self._is_final(pending.trace), self._clock.now_ns() - pending.seen_ns
        if shown and self._early_max_ns is not None:
            self._early_max_ns = max(self._early_max_ns, late_ns)
        if late_ns > _WAIT_NS and not shown:
            self._early_max_ns = None
        if shown or late_ns > _WAIT_NS:
            self._pending = None

    def _is_final(self, trace: str) -> bool:
        if self._connection is None:
            self._connection = connect(
                self._conninfo,
                autocommit=True,
                application_name="harness_word_check",
                connect_timeout=_CONNECT_S,
            )
            limit_query_time(self._connection, _QUERY_LIMIT_NS)
        rows = self._connection.execute(self._query, (trace,)).fetchall()
        if not rows:  # a final row may have been removed
            return self._contract.tasks.kept == "until_final"
        states = (self._contract.state(str(status).strip()) for (status,) in rows)
        return any(state is not State.INIT for state in states)
