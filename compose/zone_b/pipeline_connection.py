"""A PostgreSQL connection in pipeline mode: many statements sent at once, answers read later.

What lies between two syncs is one transaction, committed by the sync. This is libpq as psycopg
exposes it (`psycopg.pq`), since the layers above cost more per statement than the statement itself.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus

Row = tuple[bytes | None, ...]

_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
# Longer than the server lets a lock be waited for, see statements.LOCK_TTL_S.
_SILENCE_MAX_S = 40
# A peer that has gone silently must be noticed while recovery still is in time.
_TCP = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
# libpq answers None once between two statements; more in a row mean that the count is off.
_NONES_MAX = 8


class PipelineError(Exception):
    """The server refused a statement, or the connection is lost."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction's answers.

    Attributes:
        rows: rows of each of its statements.
        done_ns: monotonic time at which its commit was known here.
    """

    rows: list[list[Row]]
    done_ns: int


class PipelineConnection:
    """Prepared statements over one connection. Not for two threads."""

    def __init__(self, dsn: str, statements: Mapping[str, str], options: str) -> None:
        self._connection = psycopg.connect(
            make_conninfo(dsn, application_name="zone_b", options=options, **_TCP), autocommit=True
        )
        self._pg = self._connection.pgconn
        for name, sql in statements.items():
            result = self._pg.prepare(name.encode(), sql.encode())
            if result.status not in _GOOD:
                raise PipelineError(f"cannot prepare {name}: {_message(result.error_message)}")
        self._pg.enter_pipeline_mode()
        self._pg.nonblocking = 1
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)
        self._fd = self._pg.socket
        self._syncs = 0

    def queue(self, statement: str, values: Sequence[str | None]) -> None:
        """Add a prepared statement with its parameters as text."""
        self._pg.send_query_prepared(
            statement.encode(), [None if v is None else v.encode() for v in values]
        )

    def sync(self) -> None:
        """End a transaction; what has been queued is on its way from here on."""
        self._pg.pipeline_sync()
        self._syncs += 1

    def fetch(self) -> list[Unit]:
        """Wait for every transaction that was queued; their answers in order.

        Raises:
            PipelineError: a statement failed, or the connection is lost.
        """
        units: list[Unit] = []
        rows: list[list[Row]] = []
        nones = 0
        while self._syncs:
            self._wait_for_input()
            result = self._pg.get_result()
            if result is None:
                nones += 1
                if nones > _NONES_MAX:
                    raise PipelineError("the server answered less than was asked")
                continue
            nones = 0
            if result.status == ExecStatus.PIPELINE_SYNC:
                units.append(Unit(rows, time.monotonic_ns()))
                rows = []
                self._syncs -= 1
            elif result.status in _GOOD:
                columns = range(result.nfields)
                rows.append(
                    [tuple(result.get_value(i, j) for j in columns) for i in range(result.ntuples)]
                )
            else:
                raise PipelineError(_message(result.error_message) or "connection lost")
        return units

    def run(self, statement: str, values: Sequence[str | None]) -> list[Row]:
        """One statement as a transaction of its own; its rows."""
        self.queue(statement, values)
        self.sync()
        return self.fetch()[0].rows[0]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _wait_for_input(self) -> None:
        pg = self._pg
        try:
            while pg.is_busy():
                if pg.flush():
                    # More was queued than the socket takes; watch both ways or both sides wait.
                    self._poll.modify(self._fd, select.POLLIN | select.POLLOUT)
                    self._wait()
                    self._poll.modify(self._fd, select.POLLIN)
                else:
                    self._wait()
                pg.consume_input()
        except psycopg.OperationalError as error:
            raise PipelineError(f"connection lost: {error}") from error

    def _wait(self) -> None:
        if not self._poll.poll(_SILENCE_MAX_S * 1000):
            raise PipelineError(f"no answer from the database in {_SILENCE_MAX_S} s")


def array(values: Sequence[str]) -> str:
    """A PostgreSQL array literal."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def _message(raw: bytes | str) -> str:
    return (raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw).strip()
