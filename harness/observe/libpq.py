"""A connection of libpq's own, as the ways of seeing have it that psycopg does not offer."""

from __future__ import annotations

from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq.abc import PGconn

from harness.clock import NS_PER_S
from harness.observe.watcher import WatcherLost

# libpq waits no shorter.
_TIMEOUT_MIN_S = 2


def connect(conninfo: str, left_ns: int) -> PGconn:
    """A connection.

    Args:
        conninfo: where to, and as whom.
        left_ns: how long it may take; two seconds at least.

    Raises:
        WatcherLost: there is none.
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
    """The connection, if there is one.

    Raises:
        WatcherLost: there is none.
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
