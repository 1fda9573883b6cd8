"""Connections of libpq itself, for observation methods that psycopg does not offer."""

from __future__ import annotations

from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq.abc import PGconn

from harness.clock import NS_PER_S
from harness.observe.watcher import WatcherLost

# The shortest timeout of libpq.
_TIMEOUT_MIN_S = 2


def connect(conninfo: str, left_ns: int) -> PGconn:
    """A connection.

    Args:
        conninfo: server and login.
        left_ns: timeout; two seconds at least.

    Raises:
        WatcherLost: it cannot be opened.
    """
    timeout_s = max(_TIMEOUT_MIN_S, left_ns // NS_PER_S)
    full = make_conninfo(conninfo, connect_timeout=timeout_s, client_encoding="UTF8")
    connection = pq.PGconn.connect(full.encode())
    if connection.status != pq.ConnStatus.OK:
        message = " ".join(connection.get_error_message().split())
        connection.finish()
        raise WatcherLost(message)
    return connection


def require_open(connection: PGconn | None) -> PGconn:
    """The connection, unless it is None.

    Raises:
        WatcherLost: it is None.
    """
    if connection is None:
        raise WatcherLost("not connected")
    return connection


def identifier(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"
