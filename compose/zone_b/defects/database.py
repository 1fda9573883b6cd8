"""A second connection to PostgreSQL, for what the engine would never write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import TupleRow


class Database:
    """One worker's; connected at its first use.

    Args:
        dsn: libpq conninfo.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.Connection[TupleRow] | None = None

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[TupleRow]:
        """A connection of its own for a caller that needs one."""
        return psycopg.connect(
            self._dsn, autocommit=autocommit, application_name="zone_b_defects", connect_timeout=5
        )

    def run(self, *statements: str, **values: Any) -> int:
        """Run statements in one transaction; the rows that the last one touched.

        Raises:
            psycopg.Error: the server is lost or refuses.
        """
        return self._run(statements, values)

    def _run(self, statements: tuple[str, ...], values: Mapping[str, Any]) -> int:
        if self._connection is None:
            self._connection = self.connect()
        touched = 0
        with self._connection.transaction():
            for statement in statements:
                touched = self._connection.execute(statement.encode(), values).rowcount
        return touched
