"""Observing SIMULATED in notifications of the system (LISTEN/NOTIFY): a self-report.

PostgreSQL keeps no notification for a disconnected listener; missed ones are read by query.
"""

from __future__ import annotations

import select

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo
from psycopg.pq.abc import PGconn

from harness.clock import NS_PER_MS, Clock
from harness.contract.names import Contract
from harness.errors import StackError, error_text
from harness.observe.decoder import RowVersion
from harness.observe.libpq import connect, identifier, require_open
from harness.observe.plan import ObserverPlan
from harness.observe.status_reports import StatusReportParser
from harness.observe.watcher import Versions, WatcherLost

_READ = select.POLLIN | select.POLLERR | select.POLLHUP
# A poll must return even when the system never pauses.
_NOTIFICATIONS_MAX = 20_000


class NotificationWatcher:
    """Listens to a channel.

    Args:
        conninfo: of a role that may connect; anyone who can may listen.
        contract: channel, form of the payload and statuses.
        clock: monotonic time.
    """

    def __init__(self, conninfo: str, contract: Contract, clock: Clock) -> None:
        self._conninfo = make_conninfo(conninfo, application_name="harness_observer")
        self._channel = contract.seen.channel or ""
        self._reader = StatusReportParser(contract)
        self._read = (
            self._reader.from_text if contract.seen.format == "text" else self._reader.from_json
        )
        self._clock = clock
        self._connection: PGconn | None = None
        self._poll = select.poll()
        self._polls = 0
        self._asked: tuple[int, int] = (-1, 0)
        self.seen_ns = 0
        self.covered_ns = 0
        self.received_lsn = 0

    @property
    def unreadable(self) -> int:
        return self._reader.unreadable

    def open(self, deadline_ns: int) -> None:
        self.close()
        connection = connect(self._conninfo, deadline_ns - self._clock.now_ns())
        self._connection = connection
        begin_ns = self._clock.now_ns()
        result = connection.exec_(f"LISTEN {identifier(self._channel)}".encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            message = result.get_error_message().strip()
            self.close()
            raise StackError(
                f"PostgreSQL refused LISTEN: {message}",
                where="observer",
                hint="a pooler in front of it cannot pass notifications on; connect directly",
            )
        self._poll = select.poll()
        self._poll.register(connection.socket, _READ)
        self._asked = (-1, 0)
        self.covered_ns = begin_ns

    def poll(self, timeout_ns: int) -> Versions:
        connection = require_open(self._connection)
        found: list[RowVersion] = []
        try:
            if self._poll.poll(max(0, timeout_ns) // NS_PER_MS):
                connection.consume_input()
            self.seen_ns = self._clock.now_ns()
            for _ in range(_NOTIFICATIONS_MAX):
                notice = connection.notifies()
                if notice is None:
                    break
                version = self._read(notice.extra.decode("utf-8", "replace"))
                if version is not None:
                    found.append(version)
            # Nothing is left unread, so all that had arrived by then has been read.
            if len(found) < _NOTIFICATIONS_MAX and not self._poll.poll(0):
                self.covered_ns = self.seen_ns
        except OperationalError as error:
            raise WatcherLost(error_text(error, with_type=False)) from error
        self._polls += 1
        return found

    def has_all(self, lsn: int) -> bool:
        # An answer follows every notification that was sent before it, and the next poll returns
        # them.
        if lsn != self._asked[0]:
            if require_open(self._connection).exec_(b"SELECT 1").status != pq.ExecStatus.TUPLES_OK:
                raise WatcherLost("the server does not answer")
            self._asked = (lsn, self._polls)
        return self._polls > self._asked[1]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.finish()
            self._connection = None


def make_watcher(plan: ObserverPlan, clock: Clock) -> NotificationWatcher:
    """The watcher of a plan."""
    return NotificationWatcher(plan.observer_dsn.get_secret_value(), plan.contract, clock)
