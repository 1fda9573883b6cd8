"""Mean times of PostgreSQL's statements, by kind, where the server keeps pg_stat_statements."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psycopg
from psycopg import sql

from harness.telemetry.lock_waits import is_for_update
from harness.telemetry.sample_batch import SampleBatch

_KINDS = ("select", "insert", "update", "delete")
_WHERE = """
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
# Without the texts, which lie in a file that would be read as a whole each time.
_TIMES = """
SELECT queryid, sum(calls)::bigint, sum(total_exec_time) FROM {}.pg_stat_statements(false)
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY queryid
"""
_TEXTS = "SELECT queryid, min(query) FROM {}.pg_stat_statements(true) GROUP BY queryid"
_ABSENT = "the server does not keep pg_stat_statements"


class StatementTimes:
    """Reads them on somebody's connection."""

    def __init__(self) -> None:
        self._schema: str | None = None
        self._kinds: dict[int, str] = {}

    def begin(self, connection: psycopg.Connection[Any], sheet: SampleBatch) -> None:
        """Find out whether the server keeps them.

        Raises:
            psycopg.Error: the server does not answer.
        """
        row = connection.execute(_WHERE).fetchone()
        self._schema = str(row[0]) if row else None
        sheet.unread("postgres.statement_ms", None if self._schema else _ABSENT)

    def sample(self, connection: psycopg.Connection[Any], sheet: SampleBatch) -> None:
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
            self._schema = None  # made in the database, and not loaded by the server
            sheet.unread("postgres.statement_ms", str(error).splitlines()[0])
            return
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for number, calls, total_ms in rows:
            of_kind = sums[self._kinds.get(number, "other")]
            of_kind[0] += float(total_ms)
            of_kind[1] += int(calls)
        for kind, (total_ms, calls) in sums.items():
            sheet.mean(f"postgres.statement_ms.{kind}", total_ms, calls)


def kind_of(statement: str) -> str:
    """`select`, `select_for_update`, `insert`, `update`, `delete` or `other`."""
    words = statement.split(None, 1)
    first = words[0].lower() if words else ""
    if first == "with":
        first = next((kind for kind in reversed(_KINDS) if f"{kind} " in statement.lower()), first)
    if first == "select" and is_for_update(statement):
        return "select_for_update"
    return first if first in _KINDS else "other"
