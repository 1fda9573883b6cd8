"""An ordinary connection to PostgreSQL, in UTF-8 as the names of a contract are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Marks a conninfo that leads to a pooler. libpq has no key for that, and ignores this one, because
# every connection has an application_name.
_POOLED = {"fallback_application_name": "harness_pooled"}


def connect(conninfo: str, *, options: str = "", **settings: Any) -> psycopg.Connection[Any]:
    """A connection in UTF-8, whatever the encoding of the database.

    By default, text of an SQL_ASCII database would be returned as bytes. Through a pooler the
    connection has no start-up options and no prepared statements: the next transaction may be
    executed by another session of the server.

    Args:
        conninfo: server and login.
        options: settings of the session, in addition to those of the conninfo (`-c name=value`).
        settings: further keywords of `psycopg.connect`.

    Raises:
        psycopg.Error: it cannot be opened.
    """
    given = conninfo_to_dict(conninfo)
    if is_pooled(given):
        settings["prepare_threshold"] = None
    elif options:
        settings["options"] = f"{given.get('options') or ''} {options}".strip()
    return psycopg.connect(conninfo, client_encoding="UTF8", **settings)


def mark_pooled(conninfo: str) -> str:
    """The conninfo of a pooler."""
    return make_conninfo(conninfo, **_POOLED)


def is_pooled(parts: Mapping[str, Any]) -> bool:
    """Whether a conninfo, as its parts, leads to a pooler."""
    return all(parts.get(key) == value for key, value in _POOLED.items())
