"""An ordinary connection to PostgreSQL, in UTF-8 as the names of a contract are."""

from __future__ import annotations

from typing import Any

import psycopg


def connect(conninfo: str, **settings: Any) -> psycopg.Connection[Any]:
    """A connection in UTF-8, whatever the encoding of the database.

    By default, text of an SQL_ASCII database would be returned as bytes.

    Raises:
        psycopg.Error: it cannot be opened.
    """
    return psycopg.connect(conninfo, client_encoding="UTF8", **settings)
