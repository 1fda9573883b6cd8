"""Lock waits in PostgreSQL: which session waits, on which table, for which holder.

A session that waits for a row waits for the transaction that holds it (or for its turn to do so).
The lock on the tuple that it holds or wants meanwhile identifies the row and its table
(https://www.postgresql.org/docs/16/view-pg-locks.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from harness.telemetry.sample_batch import SampleBatch

# Waits written per sample, the longest ones; the counts include all.
EXAMPLES_MAX = 8
WAITERS_MAX = 64
_STATEMENT_CHARS_MAX = 100

_COUNT = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
# Locks are listed once, and only for the sessions that wait at this moment.
_WAITS = f"""
WITH waiting AS MATERIALIZED (
    SELECT pid, query FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()
    ORDER BY query_start LIMIT {WAITERS_MAX}
), locks AS MATERIALIZED (
    SELECT pid, locktype, relation, granted, waitstart FROM pg_locks
    WHERE pid IN (SELECT pid FROM waiting) AND (NOT granted OR locktype = 'tuple')
), wanted AS (
    SELECT pid,
        max(coalesce(relation, 0)::bigint) FILTER (WHERE locktype = 'tuple') AS row_of,
        max(coalesce(relation, 0)::bigint) FILTER (WHERE NOT granted) AS lock_on,
        min(waitstart) FILTER (WHERE NOT granted) AS since
    FROM locks GROUP BY pid
)
SELECT waiting.pid, waiting.query, wanted.row_of, wanted.lock_on,
    coalesce(wanted.row_of, wanted.lock_on)::oid::regclass::text,
    extract(epoch FROM clock_timestamp() - coalesce(wanted.since, clock_timestamp())) * 1000,
    (SELECT array_agg(held.state || E'\\n' || held.query)
     FROM pg_stat_activity AS held WHERE held.pid = ANY (pg_blocking_pids(waiting.pid)))
FROM waiting JOIN wanted USING (pid)
WHERE wanted.lock_on IS NOT NULL
"""  # noqa: S608 - of constants
_QUOTED = re.compile(r"'(?:[^']|'')*'?")
_NUMBER = re.compile(r"(?<![\w$.])\d[\w.]*")
_SPACE = re.compile(r"\s+|--[^\n]*\n")
_FOR_UPDATE = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Waiter:
    """One waiting session at one poll."""

    pid: int
    relation: str
    is_nonce: bool
    statement: str
    for_update: bool
    waited_ms: float
    holders: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class LockWaitSummary:
    """The lock waits of all polls since the previous sample."""

    _polls: int = 0
    _with_waiters: int = 0
    _with_nonce_waiters: int = 0
    _waiters_max: int = 0
    _nonce_waiters_max: int = 0
    _nonce_wait_ms: float = 0.0
    # Running totals, so that a missed sample loses nothing.
    _totals: tuple[int, int, int] = (0, 0, 0)
    _longest: dict[int, tuple[int, Waiter]] = field(default_factory=dict)

    def add(self, waiters: Sequence[Waiter], mono_ns: int) -> None:
        """Add the waiters of one poll."""
        nonces = [waiter for waiter in waiters if waiter.is_nonce]
        self._polls += 1
        self._with_waiters += bool(waiters)
        self._with_nonce_waiters += bool(nonces)
        self._waiters_max = max(self._waiters_max, len(waiters))
        self._nonce_waiters_max = max(self._nonce_waiters_max, len(nonces))
        for waiter in nonces:
            self._nonce_wait_ms = max(self._nonce_wait_ms, waiter.waited_ms)
        for waiter in waiters:
            known = self._longest.get(waiter.pid)
            if known is None or waiter.waited_ms >= known[1].waited_ms:
                self._longest[waiter.pid] = (mono_ns, waiter)

    def write_to(self, batch: SampleBatch) -> None:
        """Put the summary into the batch, and reset it."""
        if not self._polls:
            return
        batch.gauge("postgres.lock_waiters_count", self._waiters_max)
        batch.gauge("postgres.nonce_waiters_count", self._nonce_waiters_max)
        batch.gauge("postgres.nonce_wait_ms", round(self._nonce_wait_ms, 3))
        polls, waiting, nonce_waiting = self._totals
        self._totals = (
            polls + self._polls,
            waiting + self._with_waiters,
            nonce_waiting + self._with_nonce_waiters,
        )
        batch.share("postgres.lock_waiting_share", self._totals[1], self._totals[0])
        batch.share("postgres.nonce_waiting_share", self._totals[2], self._totals[0])
        longest = sorted(self._longest.values(), key=lambda one: -one[1].waited_ms)
        for mono_ns, waiter in sorted(longest[:EXAMPLES_MAX], key=lambda one: one[0]):
            batch.note(_line(waiter, mono_ns))
        self.reset()

    def reset(self) -> None:
        """Forget all polls since the previous sample."""
        self._polls = self._with_waiters = self._with_nonce_waiters = 0
        self._waiters_max = self._nonce_waiters_max = 0
        self._nonce_wait_ms = 0.0
        self._longest = {}


def count_waiters(connection: psycopg.Connection[Any]) -> int:
    """How many sessions wait for a lock; much cheaper than `read_waits`.

    Raises:
        psycopg.Error: the server does not answer.
    """
    row = connection.execute(_COUNT).fetchone()
    return int(row[0]) if row else 0


def read_waits(connection: psycopg.Connection[Any], nonce_table: int) -> tuple[Waiter, ...]:
    """The waiting sessions, with their tables and the holders.

    Args:
        connection: of a role that may see the sessions of others.
        nonce_table: oid of the table of nonces; 0 if there is none.

    Raises:
        psycopg.Error: the server does not answer.
    """
    return tuple(_waiter(row, nonce_table) for row in connection.execute(_WAITS))


def summarize_statement(statement: str) -> str:
    """A statement without its literals, which may be confidential."""
    plain = _NUMBER.sub("?", _QUOTED.sub("?", statement))
    plain = _SPACE.sub(" ", plain).strip()
    return plain if len(plain) <= _STATEMENT_CHARS_MAX else f"{plain[:_STATEMENT_CHARS_MAX]}..."


def is_for_update(statement: str) -> bool:
    """Whether a statement locks the rows that it reads."""
    return _FOR_UPDATE.search(_QUOTED.sub("?", statement)) is not None


def _waiter(row: Iterable[Any], nonce_table: int) -> Waiter:
    pid, query, row_of, lock_on, relation, waited_ms, holders = row
    is_nonce = bool(nonce_table) and nonce_table in (row_of, lock_on)
    split = (str(holder).partition("\n") for holder in holders or () if holder is not None)
    return Waiter(
        pid=int(pid),
        relation="" if relation in (None, "-") else str(relation),
        is_nonce=is_nonce,
        statement=summarize_statement(query or ""),
        for_update=is_for_update(query or ""),
        waited_ms=max(0.0, float(waited_ms)),
        holders=tuple((state, summarize_statement(text)) for state, _, text in split),
    )


def _line(waiter: Waiter, mono_ns: int) -> dict[str, Any]:
    return {
        "kind": "wait",
        "mono_ns": mono_ns,
        "relation": waiter.relation,
        "statement": waiter.statement,
        "for_update": waiter.for_update,
        "waited_ms": round(waiter.waited_ms, 3),
        "holders": waiter.holders,
    }
