"""Tables and streams of a running system, from which a contract is proposed. Nothing is written.

Only catalogs, values of columns that may hold a status, a side, a kind or an address, and the
newest entry of each stream are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis
from psycopg import Connection

from harness.clock import NS_PER_S
from harness.errors import Exit, HarnessError, StackError, UsageError
from harness.observe.connection import connect
from harness.observe.rows import limit_query_time
from harness.redis_connection import redis_client
from harness.stack.attach import postgres_checks, redis_checks
from harness.stack.attach.check import PreflightCheck
from harness.stack.attach.name_hints import (
    ADDRESS,
    ENTRY_TYPE,
    SIDE,
    STATUS,
    first_match,
)
from harness.stack.attach.relations import Column, all_relations, find_relation
from harness.stack.attach.server_addresses import PostgresAddress, RedisAddress
from harness.stack.attach.stream_checks import stream_names
from harness.stack.attach.value_checks import column_values

_STATEMENT_LIMIT_NS = 10 * NS_PER_S
_TABLES_MAX = 200
_STREAMS_MAX = 100
_GROUPS_MAX = 20
# An entry of a signal is far smaller; a larger one says nothing of its form.
_ENTRY_BYTES_MAX = 64 * 1024
_LISTED = (STATUS, SIDE, ENTRY_TYPE, ADDRESS)
_TEXT_OR_ENUM = frozenset("SE")


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table that the login can read.

    Attributes:
        name: with its schema, as a contract writes it.
        columns: by name, in the order of the table.
        values: of the columns that may hold a status, a side, a kind or an address.
        has_children: whether partitions or other tables inherit from it.
    """

    name: str
    columns: Mapping[str, Column]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_children: bool = False


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A stream.

    Attributes:
        groups: names of its consumer groups.
        newest: fields of the newest entry; empty if there is none, or it is too large.
    """

    key: str
    groups: tuple[str, ...] = ()
    newest: Mapping[str, bytes] = field(default_factory=dict)


def find_tables(address: PostgresAddress, env: Mapping[str, str]) -> tuple[FoundTable, ...]:
    """Readable tables of a database, by name.

    Raises:
        UsageError: the login or the address is wrong.
        StackError: the server cannot be reached or used now.
    """
    conninfo = address.secret_conninfo(env)
    where = f"PostgreSQL at {address.place}"
    try:
        with connect(
            conninfo.get_secret_value(), autocommit=True, application_name="harness_init"
        ) as connection:
            limit_query_time(connection, _STATEMENT_LIMIT_NS)
            names = all_relations(connection)[:_TABLES_MAX]
            return tuple(
                table for name in names if (table := _read_table(connection, name)) is not None
            )
    except psycopg.Error as error:
        if error.sqlstate is not None:
            raise _failed(postgres_checks.query_failed(error, where), where) from error
        raise _failed(postgres_checks.refused(str(error), where), where) from error


def find_streams(address: RedisAddress, env: Mapping[str, str]) -> tuple[FoundStream, ...]:
    """Streams of a database, by key.

    Raises:
        UsageError: the login or the address is wrong.
        StackError: the server cannot be reached or used now.
    """
    url = address.secret_url(env)
    where = f"Redis at {address.place}"
    try:
        with redis_client(url.get_secret_value()) as client:
            keys = sorted(set(stream_names(client)))[:_STREAMS_MAX]
            return tuple(
                stream for key in keys if (stream := _read_stream(client, key)) is not None
            )
    except (redis.RedisError, OSError) as error:
        raise _failed(redis_checks.refused(error, where), where) from error


def _read_table(connection: Connection[Any], name: str) -> FoundTable | None:
    relation = find_relation(connection, name)
    if relation is None or not (relation.schema_usable and relation.readable):
        return None
    listed = {
        column
        for words in _LISTED
        if (column := first_match(relation.columns, words))
        and relation.columns[column].category in _TEXT_OR_ENUM
    }
    values = {}
    for column in sorted(listed):
        try:
            found = column_values(connection, relation, column, ())
        except psycopg.errors.QueryCanceled:  # a table too large to be read now
            continue
        values[column] = found.labels or found.present
    return FoundTable(relation.text, relation.columns, values, relation.has_children)


def _read_stream(client: redis.Redis, key: str) -> FoundStream | None:
    try:
        groups: Any = client.xinfo_groups(key)
        entries: Any = client.xrevrange(key, count=1)
    except redis.ResponseError:  # deleted meanwhile, not for this login, or its key is no UTF-8
        return None
    fields: dict[bytes, bytes] = entries[0][1] if entries else {}
    if sum(map(len, fields)) + sum(map(len, fields.values())) > _ENTRY_BYTES_MAX:
        fields = {}
    names = (_text(group["name"]) for group in groups[:_GROUPS_MAX])
    return FoundStream(key, tuple(names), {_text(name): own for name, own in fields.items()})


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _failed(check: PreflightCheck, where: str) -> HarnessError:
    kind: type[HarnessError] = StackError if check.exit_code is Exit.STACK else UsageError
    return kind(check.message, where=where, hint=check.hint)
