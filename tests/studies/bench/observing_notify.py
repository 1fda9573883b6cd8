"""Seeing commits by LISTEN/NOTIFY: the third way, which the product does not use.

Runs the observer's own process with another watcher:
`python -m tests.studies.bench.observing_notify`.
"""

from __future__ import annotations

import select
import sys

from psycopg import OperationalError, pq
from psycopg.pq.abc import PGconn

from harness.clock import NS_PER_MS, Clock
from harness.contract.trace_id import parse
from harness.observe import worker
from harness.observe.decoder import RowVersion
from harness.observe.plan import ObserverPlan
from harness.observe.watcher import Versions, Watcher, WatcherLost

CHANNEL = "harness_bench"
TRIGGER = f"""
CREATE OR REPLACE FUNCTION harness_bench_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', NEW.trace_id::text || ' ' || NEW.status::text);
    RETURN NULL;
END $$;
CREATE TRIGGER harness_bench_tell AFTER INSERT OR UPDATE ON trade_tasks
    FOR EACH ROW EXECUTE FUNCTION harness_bench_tell();
"""
NO_TRIGGER = "DROP TRIGGER IF EXISTS harness_bench_tell ON trade_tasks"


class NotifyWatcher:
    """Listens; a notification carries no commit time."""

    def __init__(self, conninfo: str, clock: Clock) -> None:
        self._conninfo = conninfo
        self._clock = clock
        self._connection: PGconn | None = None
        self._poll = select.poll()
        self.seen_ns = 0
        self.received_lsn = 0
        self.covered_ns = 0
        self.unreadable = 0

    def open(self, deadline_ns: int) -> None:
        connection = pq.PGconn.connect(self._conninfo.encode())
        if connection.status != pq.ConnStatus.OK:
            raise WatcherLost("no connection")
        connection.exec_(f"LISTEN {CHANNEL}".encode())
        self._connection = connection
        self._poll.register(connection.socket, select.POLLIN)

    def poll(self, timeout_ns: int) -> Versions:
        connection = self._connection
        if connection is None:
            raise WatcherLost("not connected")
        found = []
        try:
            if self._poll.poll(timeout_ns // NS_PER_MS):
                connection.consume_input()
            self.seen_ns = self._clock.now_ns()
            while (notice := connection.notifies()) is not None:
                trace, _, status = notice.extra.decode().partition(" ")
                found.append(RowVersion(*parse(trace), status, 0, 0, 0))
        except OperationalError as error:
            raise WatcherLost(str(error)) from error
        return found

    def has_all(self, lsn: int) -> bool:
        return self._poll.poll(100) == []

    def close(self) -> None:
        if self._connection is not None:
            self._connection.finish()
            self._connection = None


def make_watcher(plan: ObserverPlan, clock: Clock) -> Watcher:
    """In place of the product's choice."""
    return NotifyWatcher(plan.observer_dsn.get_secret_value(), clock)


if __name__ == "__main__":
    worker.make_watcher = make_watcher
    sys.exit(worker.main())
