"""Who may do what in the embedded PostgreSQL: superuser, owner of the schema, observer."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from harness.errors import StackError
from harness.stack.compose_file import size_bytes

ADMIN = "postgres"
OWNER = "defi"
DATABASE = "defi"


@dataclass(frozen=True, slots=True)
class Passwords:
    """One per role."""

    admin: str
    owner: str
    observer: str

    @classmethod
    def random(cls) -> Passwords:
        """New ones; letters and digits only, so that they read the same in a URL."""
        return cls(*(secrets.token_hex(16) for _ in range(3)))

    def all(self) -> tuple[str, ...]:
        """Every one, for redaction."""
        return (self.admin, self.owner, self.observer)


def make_roles(dsn: str, observer: str, passwords: Passwords) -> None:
    """Make the owner with its database, and the observer.

    Args:
        dsn: the superuser's, on a database that exists.
        observer: name of the read-only role.
        passwords: of all roles.

    Raises:
        StackError: the server refuses.
    """
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            make_role(connection, OWNER, "LOGIN", passwords.owner)
            make_role(connection, observer, "LOGIN REPLICATION", passwords.observer)
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(OWNER)
                )
            )
    except psycopg.Error as error:
        raise StackError(f"cannot be set up: {error}", where="postgres") from error


def open_to_observer(dsn: str, observer: str, table: str, publication: str) -> None:
    """Let the observer read every table and follow one; after the schema has been made.

    Args:
        dsn: the superuser's, on the database with the schema.
        observer: name of the read-only role.
        table: whose rows are followed.
        publication: its name.

    Raises:
        StackError: the server refuses.
    """
    statements = (
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
        " GRANT SELECT ON TABLES TO {role}",
        "CREATE PUBLICATION {publication} FOR TABLE {table} WITH (publish = 'insert, update')",
    )
    names = {
        "role": sql.Identifier(observer),
        "owner": sql.Identifier(OWNER),
        "publication": sql.Identifier(publication),
        "table": sql.Identifier(*table.split(".")),
    }
    try:
        with psycopg.connect(dsn) as connection:
            for statement in statements:
                connection.execute(sql.SQL(statement).format(**names))
    except psycopg.Error as error:
        raise StackError(f"cannot be opened to the observer: {error}", where="postgres") from error


def settings_in_force(dsn: str, names: Iterable[str]) -> dict[str, str]:
    """The settings that the server reports, so that those in force are recorded.

    Raises:
        StackError: the server does not report them.
    """
    try:
        with psycopg.connect(dsn) as connection:
            return {name: _current(connection, name) for name in names}
    except psycopg.Error as error:
        raise StackError(f"does not report its settings: {error}", where="postgres") from error


def same_setting(given: str, shown: str) -> bool:
    """Whether a server reports a setting as it was given; `1024MB` is shown as `1GB`."""
    try:
        return size_bytes(given) == size_bytes(shown)
    except ValueError:
        return given.lower() == shown.lower()


def make_role(connection: psycopg.Connection[Any], name: str, rights: str, password: str) -> None:
    """Make a role with these rights; within the caller's transaction."""
    # Hashed here, so that the password itself is in no statement and in no log.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
            sql.Identifier(name), sql.SQL(rights), sql.Literal(verifier.decode())
        )
    )


def _current(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""
