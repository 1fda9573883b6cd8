"""Who waits for a lock in PostgreSQL, for which table's, and for whom.

A session that waits for a row waits for the transaction that holds it (or for its turn to do so);
that it is a row, and of which table, shows in the lock on the tuple that it holds or wants
meanwhile (https://www.postgresql.org/docs/16/view-pg-locks.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from harness.telemetry.sample_batch import SampleBatch

# So many waits are written down a look, the longest first; the counts have them all.
EXAMPLES_MAX = 8
WAITERS_MAX = 64
_WORDS_MAX = 100

_COUNT = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
# Locks are listed once, for those that wait at this moment alone.
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
    """One session that waits, as it was met once."""

    pid: int
    relation: str
    is_nonce: bool
    statement: str
    for_update: bool
    waited_ms: float
    holders: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class LockWaitSummary:
    """What the glances since the last look have met."""

    _glances: int = 0
    _with_waiters: int = 0
    _with_nonce_waiters: int = 0
    _waiters_max: int = 0
    _nonce_waiters_max: int = 0
    _nonce_wait_ms: float = 0.0
    # Running totals, so that a look that is missed is bridged.
    _totals: tuple[int, int, int] = (0, 0, 0)
    _longest: dict[int, tuple[int, Waiter]] = field(default_factory=dict)

    def add(self, waiters: Sequence[Waiter], mono_ns: int) -> None:
        """Take in a glance."""
        nonces = [waiter for waiter in waiters if waiter.is_nonce]
        self._glances += 1
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

    def write_to(self, sheet: SampleBatch) -> None:
        """Write down what was met, and begin anew."""
        if not self._glances:
            return
        sheet.gauge("postgres.lock_waiters_count", self._waiters_max)
        sheet.gauge("postgres.nonce_waiters_count", self._nonce_waiters_max)
        sheet.gauge("postgres.nonce_wait_ms", round(self._nonce_wait_ms, 3))
        glances, some, nonces = self._totals
        self._totals = (
            glances + self._glances,
            some + self._with_waiters,
            nonces + self._with_nonce_waiters,
        )
        sheet.share("postgres.lock_waiting_share", self._totals[1], self._totals[0])
        sheet.share("postgres.nonce_waiting_share", self._totals[2], self._totals[0])
        told = sorted(self._longest.values(), key=lambda one: -one[1].waited_ms)[:EXAMPLES_MAX]
        for mono_ns, waiter in sorted(told, key=lambda one: one[0]):
            sheet.note(_line(waiter, mono_ns))
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._glances = self._with_waiters = self._with_nonce_waiters = 0
        self._waiters_max = self._nonce_waiters_max = 0
        self._nonce_wait_ms = 0.0
        self._longest = {}


def count_waiters(connection: psycopg.Connection[Any]) -> int:
    """How many sessions wait for a lock; the cheap question.

    Raises:
        psycopg.Error: the server does not answer.
    """
    row = connection.execute(_COUNT).fetchone()
    return int(row[0]) if row else 0


def read_waits(connection: psycopg.Connection[Any], nonce_table: int) -> tuple[Waiter, ...]:
    """The sessions that wait, with what for and for whom.

    Args:
        connection: of a role that may see the sessions of others.
        nonce_table: oid of the table of nonces; 0 if there is none.

    Raises:
        psycopg.Error: the server does not answer.
    """
    return tuple(_waiter(row, nonce_table) for row in connection.execute(_WAITS))


def summarize_statement(statement: str) -> str:
    """What a statement does, without values: they may be anybody's."""
    plain = _NUMBER.sub("?", _QUOTED.sub("?", statement))
    plain = _SPACE.sub(" ", plain).strip()
    return plain if len(plain) <= _WORDS_MAX else f"{plain[:_WORDS_MAX]}..."


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
