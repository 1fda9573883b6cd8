"""How a status is read: as SQL compares values of its column's type, not as they are stored."""

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
    """SQL that tells the type of the status, with nothing left to fill in."""
    tasks = contract.tasks
    return _BASE_TYPE.format(
        table=sql.Literal(table_name(tasks.table).as_string(None)),
        column=sql.Literal(tasks.status),
    ).as_string(None)


def make_status_normalizer(contract: Contract, type_name: str) -> NormalizeStatus:
    """From a status as it comes to the contract's word for it, or to itself without one.

    The padding of `char(n)` is no part of its value, and citext has no case.
    """
    if type_name == "citext":
        words = {word.lower(): word for word in contract.states}
        return lambda text: words.get(text.lower(), text)
    if type_name == "bpchar":
        return lambda text: text.rstrip(" ")
    return lambda text: text


def read_status_normalizer(connection: Connection[Any], contract: Contract) -> NormalizeStatus:
    """The same, of the column as it is."""
    row = connection.execute(type_query(contract).encode()).fetchone()
    return make_status_normalizer(contract, str(row[0]) if row else "")
