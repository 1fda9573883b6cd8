"""Whether the tables and columns that a contract names are there, before any load is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection

from harness.contract.ledger import LedgerTable, SidedLedger
from harness.contract.names import Contract
from harness.observe.final import nonces_query, tasks_query
from harness.observe.ledger_rows import ledger_query
from harness.observe.rows import table_name

_SHOWN_MAX = 20
_TEXTS = frozenset({"text", "character varying", "character"})
_TABLES = (
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n"
    " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1 LIMIT %s"
)
_COLUMNS = (
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
    " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_LABELS = (
    "SELECT e.enumlabel FROM pg_attribute a JOIN pg_enum e ON e.enumtypid = a.atttypid"
    " WHERE a.attrelid = %s AND a.attname = %s ORDER BY e.enumsortorder"
)


class Needed(NamedTuple):
    """What a contract says of one table.

    Attributes:
        key: its place in the contract.
        columns: key in the contract and name of each column.
        trace: name of the column that holds the trace id, and the type that the contract gives
            it; None where there is no such column.
    """

    key: str
    table: str
    columns: Mapping[str, str]
    trace: tuple[str, str] | None


def needed_of(contract: Contract) -> tuple[Needed, ...]:
    """The tables that a contract names."""
    tasks = contract.tasks
    found = [
        Needed(
            "tasks",
            tasks.table,
            _named(tasks, "trace_id", "status", "nonce", "updated_at", "created_at"),
            (tasks.trace_id, tasks.trace_type),
        )
    ]
    if contract.nonces is not None:
        columns = _named(contract.nonces, "address", "chain_id", "nonce")
        found.append(Needed("nonces", contract.nonces.table, columns, None))
    ledger = contract.ledger
    if ledger is not None:
        trace = (ledger.trace_id, ledger.trace_type)
        found.append(Needed("ledger", ledger.table, _ledger_columns(ledger), trace))
    return tuple(found)


def table_problems(connection: Connection[Any], contract: Contract) -> list[str]:
    """Everything that a contract names and the database does not have as it is named.

    Raises:
        psycopg.Error: the server does not answer.
    """
    found = [problem for needed in needed_of(contract) for problem in _problems(connection, needed)]
    return found or list(_query_problems(connection, contract))


def unmapped_statuses(connection: Connection[Any], contract: Contract) -> tuple[str, ...]:
    """Statuses of an enum that the contract gives no state: they lie beyond SIMULATED."""
    tasks = contract.tasks
    rows = connection.execute(_LABELS, (_oid(connection, tasks.table), tasks.status)).fetchall()
    return tuple(label for (label,) in rows if label not in contract.states)


def _problems(connection: Connection[Any], needed: Needed) -> Iterator[str]:
    oid = _oid(connection, needed.table)
    if oid is None:
        rows = connection.execute(_TABLES, (_SHOWN_MAX,)).fetchall()
        there = ", ".join(name for (name,) in rows) or "none"
        yield f"{needed.key}.table: there is no table {needed.table}; there are {there}"
        return
    types: dict[str, str] = dict(connection.execute(_COLUMNS, (oid,)).fetchall())
    for key, column in needed.columns.items():
        if column not in types:
            yield (
                f"{needed.key}.{key}: table {needed.table} has no column {column};"
                f" it has {', '.join(types)}"
            )
    if needed.trace and needed.trace[0] in types:
        column, told = needed.trace
        kind = types[column]
        if (kind in _TEXTS) != (told == "text") or (kind == "uuid") != (told == "uuid"):
            yield f"{needed.key}.trace_type: column {column} is of type {kind}, not {told}"
    row = connection.execute("SELECT has_table_privilege(%s::oid, 'SELECT')", (oid,)).fetchone()
    if row != (True,):
        yield f"{needed.key}.table: the role may not read {needed.table}; GRANT SELECT on it"


def _query_problems(connection: Connection[Any], contract: Contract) -> Iterator[str]:
    """What the server finds wrong with the questions that will be asked in the end."""
    queries = {"tasks": tasks_query(contract, 0)}
    if contract.nonces is not None:
        queries["nonces"] = nonces_query(contract.nonces, contract.addresses, 0)
    if contract.ledger is not None:
        queries["ledger"] = ledger_query(contract.ledger, 0)
    for key, (query, values) in queries.items():
        try:
            connection.execute("EXPLAIN " + query.as_string(connection), values)
        except psycopg.errors.ProgrammingError as error:
            connection.rollback()
            yield f"{key}: {str(error).strip().splitlines()[0]}"


def _oid(connection: Connection[Any], table: str) -> int | None:
    name = table_name(table).as_string(connection)
    row = connection.execute("SELECT to_regclass(%s)::oid", (name,)).fetchone()
    return row[0] if row else None


def _ledger_columns(ledger: LedgerTable | SidedLedger) -> dict[str, str]:
    own = ("debit_account_id", "credit_account_id") if ledger.form == "movements" else ("side",)
    return _named(ledger, "internal_tx_id", "trace_id", *own, "amount", "entry_type")


def _named(table: object, *keys: str) -> dict[str, str]:
    named = {key: getattr(table, key) for key in keys}
    return {key: column for key, column in named.items() if column is not None}
