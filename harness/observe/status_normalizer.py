"""Normalises a status as SQL compares values of its column's type, not as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import Connection, sql

from harness.contract.names import Contract
from harness.observe.rows import table_name

NormalizeStatus = Callable[[str], str]

# The type of a column, or the one below a domain.
_BASE_TYPE = sql.SQL(
    "WITH RECURSIVE kinds AS (SELECT atttypid AS oid FROM pg_attribute"
    " WHERE attrelid = to_regclass({table}) AND attname = {column}"
    " UNION ALL SELECT typbasetype FROM pg_type JOIN kinds USING (oid) WHERE typtype = 'd')"
    " SELECT typname::text FROM pg_type JOIN kinds USING (oid) WHERE typtype <> 'd'"
)


def type_query(contract: Contract) -> str:
    """SQL for the type of the status column, without parameters."""
    tasks = contract.tasks
    return _BASE_TYPE.format(
        table=sql.Literal(table_name(tasks.table).as_string(None)),
        column=sql.Literal(tasks.status),
    ).as_string(None)


def make_status_normalizer(contract: Contract, type_name: str) -> NormalizeStatus:
    """Maps a status to the contract's spelling; other statuses stay as they are.

    The padding of `char(n)` is no part of its value, and citext ignores case.
    """
    if type_name == "citext":
        spellings = {status.lower(): status for status in contract.states}
        return lambda text: spellings.get(text.lower(), text)
    if type_name == "bpchar":
        return lambda text: text.rstrip(" ")
    return lambda text: text


def read_status_normalizer(connection: Connection[Any], contract: Contract) -> NormalizeStatus:
    """`make_status_normalizer` for the type of the column."""
    row = connection.execute(type_query(contract).encode()).fetchone()
    return make_status_normalizer(contract, str(row[0]) if row else "")
