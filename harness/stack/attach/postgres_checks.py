"""What PostgreSQL itself has to be: reached directly, a primary, with room for connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from harness.contract.observation import ExternalMethodName, ObservationMethod
from harness.errors import Exit
from harness.observe.libpq import identifier
from harness.stack.attach.check import (
    PreflightCheck,
    Problem,
    check_from,
    failed_check,
    not_applicable,
)
from harness.stack.attach.contract_file import AttachFile

SERVER = (
    "postgres.tls",
    "postgres.queries",
    "postgres.direct",
    "postgres.version",
    "postgres.primary",
    "postgres.connections",
    "postgres.commit_times",
    "seen.channel",
)
# One each for observer, its clock, telemetry and this stack; one for gaps and the final state.
CONNECTIONS = 5
VERSION_MIN = 130_000  # pg_current_snapshot
_NAME_MAX = 63
_CHANNEL_HINT = "name the channel as NOTIFY of the system does"
_FACTS = """
SELECT current_setting('server_version') AS version,
 current_setting('server_version_num')::int AS number,
 current_setting('track_commit_timestamp') AS commit_times,
 current_setting('wal_level') AS wal_level,
 pg_postmaster_start_time()::text AS started,
 pg_is_in_recovery() AS recovering,
 current_setting('default_transaction_read_only') AS read_only,
 current_setting('statement_timeout') AS statement_timeout,
 pg_backend_pid() AS pid, current_user::text AS login,
 current_setting('max_connections')::int
  - current_setting('superuser_reserved_connections')::int
  - coalesce(current_setting('reserved_connections', true)::int, 0) AS most,
 (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL) AS used,
 r.rolconnlimit AS login_most,
 (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid AND datid IS NOT NULL)
  AS login_used,
 d.datconnlimit AS database_most,
 (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid) AS database_used
FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()
"""
# What libpq or the server say of a connection that does not come about; the server speaks English
# before it knows who is there. Each with the hint, and what a run then ends with.
_DOWN = Exit.STACK
_LOGIN = "user_env and password_env of the contract name the variables that hold the login"
_REFUSALS: tuple[tuple[str, str, str, Exit], ...] = (
    (
        "hot standby mode",
        "primary",
        "none of the hosts is a primary; is a failover going on? Try again after it",
        _DOWN,
    ),
    *(
        (mark, "tls", hint, Exit.USAGE)
        for mark, hint in (
            (
                "does not match host name",
                "the certificate is of another server, or lacks this name: give the host by a name"
                " of its certificate (subjectAltName); hostaddr may hold the address",
            ),
            (
                "certificate has expired",
                "the server's certificate is out of date: ask who runs the server to renew it",
            ),
            (
                "unable to get local issuer certificate",
                "sslrootcert does not hold the CA of the server's certificate",
            ),
            (
                "self-signed certificate",
                "sslrootcert does not hold the CA of the server's certificate",
            ),
            (
                "certificate verify failed",
                "sslrootcert does not hold the CA of the server's certificate",
            ),
            (
                "root certificate file",
                "sslrootcert names a file with the CA, sslrootcert=system the CAs of this host",
            ),
            (
                "requires a valid client certificate",
                "name the files of a client certificate and its key: sslcert and sslkey",
            ),
            (
                "alert unknown ca",
                "the server does not know the CA of the client certificate (sslcert)",
            ),
            (
                "alert certificate expired",
                "the client certificate (sslcert) is out of date",
            ),
            (
                "certificate authentication failed",
                "the client certificate (sslcert) is of another user: its CN has to be the user",
            ),
            ("private key file", "sslkey names the key of sslcert, with mode 0600"),
            ("certificate", "sslmode, sslrootcert, sslcert or sslkey of the URL"),
            (
                "channel binding",
                "the server has no SCRAM over TLS: sslmode=require and a password in"
                " scram-sha-256, or channel_binding=prefer",
            ),
        )
    ),
    ("password authentication failed", "login", f"wrong user or password; {_LOGIN}", Exit.USAGE),
    ("no password supplied", "login", f"the server asks for a password; {_LOGIN}", Exit.USAGE),
    ("authentication failed", "login", _LOGIN, Exit.USAGE),
    (
        "not permitted to log in",
        "login",
        "the role is NOLOGIN: ALTER ROLE ... LOGIN, or another user",
        Exit.USAGE,
    ),
    (
        "no encryption",
        "login",
        "pg_hba.conf has no entry for this host without TLS: write ?sslmode=require into the URL",
        Exit.USAGE,
    ),
    (
        "no pg_hba.conf entry",
        "login",
        "pg_hba.conf does not admit this user, host and database; ask who runs the server",
        Exit.USAGE,
    ),
    (
        "server does not support SSL",
        "login",
        "the URL asks for TLS and the server has none: sslmode=prefer, or TLS for the server",
        Exit.USAGE,
    ),
    (
        "permission denied for database",
        "login",
        "GRANT CONNECT ON DATABASE ... TO the user",
        Exit.USAGE,
    ),
    (
        "unsupported startup parameter",
        "direct",
        "there is a pooler in front of PostgreSQL; give the server's own address for observation,"
        " or write postgres.pooler = true and poll",
        Exit.USAGE,
    ),
    ("too many connections", "connections", "end sessions, or raise the limit", _DOWN),
    ("too many clients", "connections", "end sessions, or raise max_connections", _DOWN),
    (
        "connection slots are reserved",
        "connections",
        "end sessions, or raise max_connections",
        _DOWN,
    ),
    ("starting up", "reachable", "it is starting up; try again when it is ready", _DOWN),
    ("shutting down", "reachable", "it is shutting down", _DOWN),
    ("not yet accepting", "reachable", "it is recovering; try again when it is ready", _DOWN),
)
# How a connection was tried, as psycopg and libpq write it.
_HOW_ONE = re.compile(r"^(connection failed: )?(connection to server [^:]*? failed: )?")
_HOW = re.compile(
    r"^'([^']*)', port: .*? connection failed: (?:connection to server .*? failed: )?"
)
_DOWN_HINT = "is it up, and can it be reached from here? The contract says where it is"


def refused(message: str, where: str, databases: str = "") -> PreflightCheck:
    """A failed connection as the check that it belongs to.

    Args:
        message: of libpq.
        where: the server, for people.
        databases: hint for a database that does not exist.
    """
    text, message = _readable(message)
    if 'database "' in text and "does not exist" in text:
        return failed_check(
            "postgres.login", f"{where}: {message}", databases or "postgres.url names it"
        )
    for mark, check, hint, code in _REFUSALS:
        if mark in text:
            return failed_check(f"postgres.{check}", f"{where}: {message}", hint, code)
    if "FATAL" in text:  # it answered with a text that is not known here
        return failed_check("postgres.login", f"{where}: {message}", _LOGIN)
    return failed_check("postgres.reachable", f"{where}: {message}", _DOWN_HINT, Exit.STACK)


def _readable(message: str) -> tuple[str, str]:
    """A message in one line, and without how it was tried; of several hosts each one's."""
    attempts = [" ".join(one.split()) for one in message.split("\n- host: ")[1:]]
    if len(attempts) > 1:
        text = "; ".join(dict.fromkeys(_HOW.sub(r"\1: ", one) for one in attempts))
        return text, text
    text = " ".join(message.split())
    # Only what libpq says first: a reason may itself hold "failed: ".
    return text, _HOW_ONE.sub("", text) or text


def query_failed(error: psycopg.Error, where: str) -> PreflightCheck:
    """A query that the server cancelled or refused, as a check."""
    message = f"{where}: {str(error).strip().splitlines()[0]}"
    if isinstance(error, psycopg.errors.QueryCanceled):
        return failed_check(
            "postgres.queries",
            message,
            "it is busy, or holds a lock on a table, or lacks an index on the nonces' addresses",
            Exit.STACK,
        )
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "").startswith("57P"):
        return failed_check("postgres.reachable", message, _DOWN_HINT, Exit.STACK)
    return failed_check(
        "postgres.queries", message, "the login lacks a right, or a table cannot be read"
    )


def ask_server(connection: Connection[Any]) -> dict[str, Any]:
    """What the server says of itself.

    Raises:
        psycopg.Error: it does not answer.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_FACTS.encode()).fetchone()
    return found or {}


def server_checks(facts: Mapping[str, Any], own_pid: int, file: AttachFile) -> list[PreflightCheck]:
    """Whether a run can work with this server; pure.

    Args:
        facts: as `ask_server` gives them.
        own_pid: backend process that the server announced when the connection began.
        file: the contract.
    """
    return [
        _direct(facts, own_pid, pooler=file.postgres.pooler),
        check_from("postgres.version", _version(facts), f"PostgreSQL {facts['version']}"),
        check_from("postgres.primary", _standby(facts), "a primary"),
        _connections(facts),
        _commit_times(facts, file.seen.way),
        _channel(file),
    ]


def _direct(facts: Mapping[str, Any], own_pid: int, *, pooler: bool) -> PreflightCheck:
    if pooler:
        return check_from("postgres.direct", _role_settings(facts), "through a pooler, by polling")
    return check_from("postgres.direct", _pooler(facts, own_pid), "reached directly")


def _role_settings(facts: Mapping[str, Any]) -> list[Problem]:
    """What sessions cannot be given through a pooler, so that the login has to have it."""
    login = identifier(facts["login"])
    found = []
    if facts["read_only"] != "on":
        found.append(
            Problem(
                "through a pooler nothing keeps this login from writing",
                f"ALTER ROLE {login} SET default_transaction_read_only = on; then RECONNECT in the"
                " pooler",
            )
        )
    if facts["statement_timeout"] in ("0", ""):
        found.append(
            Problem(
                "through a pooler nothing ends a query of this login that takes too long",
                f"ALTER ROLE {login} SET statement_timeout = '10s'; then RECONNECT in the pooler",
            )
        )
    return found


def _pooler(facts: Mapping[str, Any], own_pid: int) -> list[Problem]:
    hint = "give the server's own address for observation, or write postgres.pooler = true and poll"
    if facts["read_only"] != "on":
        return [Problem("start-up options do not reach the server: a pooler is in front", hint)]
    if own_pid != facts["pid"]:
        return [Problem("the session is not the one that was opened: a pooler is in front", hint)]
    return []


def _version(facts: Mapping[str, Any]) -> list[Problem]:
    if facts["number"] >= VERSION_MIN:
        return []
    return [Problem(f"PostgreSQL {facts['version']} is too old", "13 or later is needed")]


def _standby(facts: Mapping[str, Any]) -> list[Problem]:
    if not facts["recovering"]:
        return []
    return [
        Problem(
            "this is a standby: it shows what is replayed, which is later than what is committed",
            "give the address of the primary",
        )
    ]


def _connections(facts: Mapping[str, Any]) -> PreflightCheck:
    rooms = {
        "max_connections": (facts["used"], facts["most"]),
        "its CONNECTION LIMIT": (facts["login_used"], facts["login_most"]),
        "CONNECTION LIMIT of the database": (facts["database_used"], facts["database_most"]),
    }
    # This very session is among those in use, and ends before the run.
    tight = {
        what: f"{used - 1} of {most} are in use ({what})"
        for what, (used, most) in rooms.items()
        if most >= 0 and most - (used - 1) < CONNECTIONS
    }
    if not tight:
        used, most = rooms["max_connections"]
        return check_from("postgres.connections", [], f"{used - 1} of {most} in use")
    return failed_check(
        "postgres.connections",
        f"a run needs {CONNECTIONS} connections; {'; '.join(tight.values())}",
        "end sessions, or raise the limit",
        Exit.STACK,
    )


def _commit_times(
    facts: Mapping[str, Any], way: ObservationMethod | ExternalMethodName
) -> PreflightCheck:
    if way is not ObservationMethod.POLLING:
        return not_applicable("postgres.commit_times", f"seen.way is {way}")
    if facts["commit_times"] == "on":
        return check_from("postgres.commit_times", [], "track_commit_timestamp is on")
    return check_from(
        "postgres.commit_times",
        [],
        "track_commit_timestamp is off: it is only known when a row was seen, and latencies include"
        " the wait for the next poll",
        "set track_commit_timestamp = on and restart, or choose seen.way = 'logical'",
    )


def _channel(file: AttachFile) -> PreflightCheck:
    channel = file.seen.channel or ""
    if file.seen.way is not ObservationMethod.NOTIFICATION:
        return not_applicable("seen.channel", f"seen.way is {file.seen.way}")
    problems = []
    if len(channel.encode()) > _NAME_MAX:
        problems.append(
            Problem(
                f"{channel!r} is longer than {_NAME_MAX} bytes, and no channel is", _CHANNEL_HINT
            )
        )
    return check_from(
        "seen.channel",
        problems,
        f"channel {channel}; whether the system notifies it is seen only in a run",
    )
