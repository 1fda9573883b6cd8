"""An ordinary connection to PostgreSQL, in the one encoding that every word of a contract has."""

from __future__ import annotations

from typing import Any

import psycopg


def connect(conninfo: str, **settings: Any) -> psycopg.Connection[Any]:
    """A connection that speaks UTF-8, whatever the database is encoded in.

    Left to the database, text of SQL_ASCII would come as bytes.

    Raises:
        psycopg.Error: there is none.
    """
    return psycopg.connect(conninfo, client_encoding="UTF8", **settings)
