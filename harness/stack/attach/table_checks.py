"""Whether the tables and columns that a contract names are there, and can be read, as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import Connection, sql

from harness.contract.names import Contract
from harness.contract.observation import ExternalMethodName, ObservationMethod
from harness.observe.final_state import nonces_query, tasks_query
from harness.observe.final_state_bookings import bookings_query, stamps_query
from harness.observe.ledger_rows import ledger_query
from harness.observe.libpq import identifier
from harness.observe.rows import RunRows
from harness.stack.attach.check import PreflightCheck, Problem, check_from, not_applicable, suggest
from harness.stack.attach.relations import KINDS, Column, Relation, all_relations, find_relation
from harness.stack.attach.required_tables import ColumnUse, RequiredTable

_SHOWN_MAX = 20
# Rows whose values are read; the oldest come first, in the order in which a scan meets them.
SAMPLE_MAX = 10_000
_TEXTS = frozenset({"text", "character varying", "character"})
_QUERY_HINT = "the contract names a column of another type, or the login lacks a right"
_NUMBER_HINT = "name the column that holds the number"
_EXACT = frozenset({"smallint", "integer", "bigint", "numeric"})
ASPECTS = ("table", "kind", "columns", "rights", "types", "rows", "query")


def table_checks(
    connection: Connection[Any], contract: Contract, needed: RequiredTable
) -> tuple[list[PreflightCheck], Relation | None]:
    """The checks of one table, and the table if all of them are ok.

    Raises:
        psycopg.Error: the server does not answer.
    """
    if needed.absent:
        return [not_applicable(f"{needed.id}.{aspect}", needed.absent) for aspect in ASPECTS], None
    relation = find_relation(connection, needed.table)
    if relation is None:
        there = all_relations(connection)
        shown = ", ".join(there[:_SHOWN_MAX]) or "none"
        missing = Problem(
            f"{needed.key}: there is no table {needed.table}; there are {shown}",
            suggest(needed.table, there),
        )
        rest = f"{needed.key} was not found"
        return [
            check_from(f"{needed.id}.table", [missing], ""),
            *(not_applicable(f"{needed.id}.{aspect}", rest) for aspect in ASPECTS[1:]),
        ], None
    found = {
        "table": check_from(f"{needed.id}.table", [], *_twins(connection, needed, relation)),
        "kind": _kind_check(needed, relation, contract.seen.way),
        "columns": _columns_check(needed, relation),
        "rights": _rights_check(connection, needed, relation),
        "types": _types_check(connection, needed, relation),
        "rows": _rows_check(needed, relation),
    }
    if any(check.is_failed for check in found.values()):
        query = not_applicable(f"{needed.id}.query", "another check of this table is not ok")
        return [*found.values(), query], None
    query = check_from(
        f"{needed.id}.query",
        _query_problems(connection, contract, needed.id),
        "the server plans every query that will be asked",
    )
    return [*found.values(), query], None if query.is_failed else relation


def _twins(
    connection: Connection[Any], needed: RequiredTable, relation: Relation
) -> tuple[str, str]:
    """What was found, and a hint where others have the same name and the contract no schema."""
    twins = [
        name
        for name in all_relations(connection)
        if name.endswith(f".{needed.table}") and name != relation.text
    ]
    fine = f"{needed.key} is {relation.text}"
    return fine, f"there is {', '.join(twins)} too; write the schema" if twins else ""


def _kind_check(
    needed: RequiredTable, relation: Relation, way: ObservationMethod | ExternalMethodName
) -> PreflightCheck:
    kind = KINDS[relation.kind]
    problems = []
    if needed.id == "tasks" and relation.kind not in "rp":
        problems.append(
            Problem(
                f"{relation.text} is a {kind}, whose rows have no version (xmin) to be polled"
                " and are in no log",
                "name the table in which the system writes the rows",
            )
        )
    if relation.persistence == "t":
        problems.append(
            Problem(
                f"{relation.text} is temporary: no other session sees its rows",
                "name the table in which the system writes the rows",
            )
        )
    if needed.id == "tasks" and way is ObservationMethod.LOGICAL:
        problems += _unlogged(relation)
    lost = "after a crash an unlogged table is empty" if relation.persistence == "u" else ""
    return check_from(f"{needed.id}.kind", problems, f"{relation.text} is a {kind}", lost)


def _unlogged(relation: Relation) -> Iterator[Problem]:
    if relation.persistence == "u":
        yield Problem(
            f"{relation.text} is unlogged, and an unlogged table is in no log",
            f"ALTER TABLE {relation.quoted} SET LOGGED, or seen.way = 'polling'",
        )
    if relation.kind == "r" and relation.has_children:
        yield Problem(
            f"other tables inherit from {relation.text}; their rows are in the log under their"
            " own names",
            "choose seen.way = 'polling', which reads them with it",
        )


def _columns_check(needed: RequiredTable, relation: Relation) -> PreflightCheck:
    columns = relation.columns
    shown = ", ".join([*columns][:_SHOWN_MAX])
    problems = [
        Problem(
            f"{key}: table {needed.table} has no column {column}; it has {shown}",
            suggest(column, columns) or f"name a column that there is; some may be false: {key}",
        )
        for key, (column, _) in needed.columns.items()
        if column not in columns
    ]
    fine = f"{relation.text} has {', '.join(column for column, _ in needed.columns.values())}"
    return check_from(f"{needed.id}.columns", problems, fine)


def _rights_check(
    connection: Connection[Any], needed: RequiredTable, relation: Relation
) -> PreflightCheck:
    row = connection.execute("SELECT current_user::text").fetchone()
    login = identifier(row[0]) if row else ""
    problems = []
    if not relation.schema_usable:
        schema = identifier(relation.schema)
        problems.append(
            Problem(
                f"the login may not use schema {relation.schema}",
                f"GRANT USAGE ON SCHEMA {schema} TO {login}",
            )
        )
    named = [name for name, _ in needed.columns.values() if name in relation.columns]
    hidden = [name for name in named if not relation.columns[name].readable]
    grant = f"GRANT SELECT ON {relation.quoted} TO {login}"
    if hidden and len(hidden) < len(named):
        problems.append(
            Problem(f"the login has no SELECT on {relation.text} ({', '.join(hidden)})", grant)
        )
    elif hidden or (needed.id == "tasks" and not relation.readable):
        problems.append(Problem(f"the login may not read {needed.table}", grant))
    return check_from(f"{needed.id}.rights", problems, f"the login may read {relation.text}")


def _types_check(
    connection: Connection[Any], needed: RequiredTable, relation: Relation
) -> PreflightCheck:
    problems: list[Problem] = []
    for key, (name, use) in needed.columns.items():
        column = relation.columns.get(name)
        if column is not None:
            problems += _type_problems(connection, needed, relation, key, column, use)
    return check_from(f"{needed.id}.types", problems, "every column is of a type that can be read")


def _type_problems(
    connection: Connection[Any],
    needed: RequiredTable,
    relation: Relation,
    key: str,
    column: Column,
    use: ColumnUse,
) -> Iterator[Problem]:
    base, head = column.base, f"{key}: column {column.name} is of type {column.type}"
    if use is ColumnUse.TRACE:
        is_text, is_uuid = base in _TEXTS, base == "uuid"
        if (is_text, is_uuid) != (needed.trace_type == "text", needed.trace_type == "uuid"):
            kind = {"uuid": "uuid"}.get(base, "text")
            yield Problem(f"{head}, not {needed.trace_type}", f"write trace_type = '{kind}'")
    elif use is ColumnUse.AMOUNT and base not in _EXACT:
        yield Problem(
            f"{head}; sums of it cannot be compared",
            "amounts must be numeric or an integer type; a view may cast them, or ledger = false",
        )
    elif use is ColumnUse.MOMENT and base != "timestamp with time zone":
        yield Problem(
            f"{head}, which identifies no instant",
            f"{key} = false, or a column of type timestamp with time zone",
        )
    elif use is ColumnUse.WHOLE and (column.category not in "NS" or base == "money"):
        yield Problem(f"{head}, which is no whole number", _NUMBER_HINT)
    elif (
        use is ColumnUse.WHOLE and column.category == "S" and column.readable and relation.readable
    ):
        found = _no_number(connection, relation, column)
        if found is not None:
            yield Problem(f"{head} and holds {found!r}, which is no whole number", _NUMBER_HINT)


def _no_number(connection: Connection[Any], relation: Relation, column: Column) -> str | None:
    """A value of a column of text that cannot be read as a number."""
    query = sql.SQL(
        "SELECT v FROM (SELECT {column}::text AS v FROM {table} LIMIT {most}) s"
        " WHERE v !~ '^ *[-+]?[0-9]+ *$' LIMIT 1"
    ).format(
        column=sql.Identifier(column.name),
        table=sql.Identifier(relation.schema, relation.name),
        most=sql.Literal(SAMPLE_MAX),
    )
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _rows_check(needed: RequiredTable, relation: Relation) -> PreflightCheck:
    problems = []
    if relation.row_security:
        problems.append(
            Problem(
                f"row-level security is in force on {relation.text} for this login: a row that it"
                " does not see would count as lost",
                "give the login BYPASSRLS (ALTER ROLE), or a policy that shows it every row",
            )
        )
    return check_from(f"{needed.id}.rows", problems, "no policy hides rows from the login")


def _query_problems(
    connection: Connection[Any], contract: Contract, table: str
) -> Iterator[Problem]:
    """What the server finds wrong with the queries that will be asked."""
    for query, values in _queries(contract, table):
        try:
            connection.execute("EXPLAIN " + query.as_string(connection), values)
        except psycopg.Error as error:
            if connection.closed or isinstance(error, psycopg.errors.QueryCanceled):
                raise
            yield Problem(f"{table}: {str(error).strip().splitlines()[0]}", _QUERY_HINT)


def _queries(contract: Contract, table: str) -> Iterator[tuple[sql.Composed, tuple[Any, ...]]]:
    ledger = contract.ledger
    if table == "tasks":
        yield tasks_query(contract, 0)
        yield RunRows(contract, 0, commit_times=True).query(None)
        if contract.tasks.updated_at is not None:
            yield stamps_query(contract, 0)
    elif table == "nonces" and contract.nonces is not None:
        yield nonces_query(contract.nonces, contract.addresses, 0)
    elif table == "ledger" and ledger is not None:
        yield ledger_query(ledger, 0)
        yield bookings_query(ledger, 0, accounts=False)
    elif table == "accounts" and ledger is not None:
        yield bookings_query(ledger, 0, accounts=True)
