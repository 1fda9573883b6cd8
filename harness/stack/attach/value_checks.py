"""Whether the columns of the system know the values that a contract names.

A column may restrict its values by an enum, a domain, a CHECK constraint or a table that it refers
to. Then a value that it does not know is misspelt. Otherwise the stored rows show its values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, sql

from harness.contract.address import address_text
from harness.contract.ledger import Ledger, SidedLedger
from harness.contract.names import Contract, State
from harness.observe.libpq import identifier
from harness.stack.attach.check import PreflightCheck, Problem, check_from, suggest
from harness.stack.attach.relations import Column, Relation
from harness.stack.attach.table_checks import SAMPLE_MAX

_WORDS_MAX = 200
_LABELS = (
    "SELECT e.enumlabel::text FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid"
    " WHERE t.oid = %s::regtype ORDER BY e.enumsortorder"
)
# Of this one column only: a constraint on several says nothing of one alone.
_CHECKS = (
    "SELECT pg_get_expr(conbin, conrelid), pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = %s::oid AND contype = 'c' AND conkey = ARRAY[%s]::int2[]"
)
_DOMAIN_CHECKS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = %s::regtype"
_REFERS_TO = (
    "SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_constraint k"
    " JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[1]"
    " WHERE k.conrelid = %s::oid AND k.contype = 'f' AND k.conkey = ARRAY[%s]::int2[]"
    " AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
    " AND has_schema_privilege(n.oid, 'USAGE')"
)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NO_LETTER = re.compile(r"[\W_]+")


class ColumnValues(NamedTuple):
    """What a column knows.

    Attributes:
        refused: values of the contract that it cannot hold.
        labels: every value that it may hold; empty where any may.
        present: values in the rows that were read, some of them if there are many.
    """

    refused: tuple[str, ...]
    labels: tuple[str, ...]
    present: tuple[str, ...]

    def problems(self, place: str, column: str) -> Iterator[Problem]:
        """Whether a value is refused."""
        if not self.refused:
            return
        known = self.labels or self.present
        shown = f"; it accepts {', '.join(known)}" if known else ""
        like = [found for value in self.refused if (found := suggest(value, known))]
        yield Problem(
            f"{place}: column {column} cannot hold {', '.join(map(repr, self.refused))}{shown}",
            "; ".join(like) or "name values of that column",
        )


def column_values(
    connection: Connection[Any],
    relation: Relation,
    name: str,
    values: Iterable[str],
    trace_id: str | None = None,
) -> ColumnValues:
    """What a column of a readable table knows, with the values that it refuses.

    Args:
        connection: in autocommit, as values that are refused are errors.
        relation: the table.
        name: the column.
        values: of the contract.
        trace_id: only rows that have one show which values are in use; None: all rows.

    Raises:
        psycopg.Error: the server does not answer.
    """
    column = relation.columns[name]
    checks = connection.execute(_CHECKS, (relation.oid, column.number)).fetchall()
    referred = _referred(connection, relation, column)
    refused = tuple(
        value
        for value in values
        if not _admits(connection, column, [expr for expr, _ in checks], value)
        or (referred and value not in referred)
    )
    listed = list(referred)
    if not listed:
        rows = (
            connection.execute(_LABELS, (column.base,)).fetchall() if column.category == "E" else []
        )
        texts = [text for _, text in checks]
        if column.is_domain:
            texts += [text for (text,) in connection.execute(_DOMAIN_CHECKS, (column.type,))]
        listed = [label for (label,) in rows] or [
            value
            for value in _literals(texts)
            if _admits(connection, column, [expr for expr, _ in checks], value)
        ]
    present = _present(connection, relation, name, trace_id)
    return ColumnValues(refused, tuple(listed), present)


def state_check(connection: Connection[Any], contract: Contract, tasks: Relation) -> PreflightCheck:
    """The statuses that the contract names, and those that it does not."""
    status = contract.tasks.status
    named = contract.states
    # Names that the file does not set are those of the reference system; one of them is needed.
    values = (
        named
        if "states" in contract.model_fields_set
        else [value for value, state in named.items() if state is State.SIMULATED]
    )
    found = column_values(connection, tasks, status, values)
    problems = list(found.problems("states", f"{tasks.text}.{status}"))
    problems += _variants("states", values, found.present)
    beyond = unlisted_values(found, named)
    fine = f"column {status} knows every status of the contract"
    if not found.labels:
        fine = f"column {status} takes any text; its rows contradict no status of the contract"
    hint = f"these lie beyond SIMULATED, since no state names them: {', '.join(beyond)}"
    return check_from("tasks.states", problems, fine, hint if beyond else "")


def unlisted_values(found: ColumnValues, named: Collection[str]) -> tuple[str, ...]:
    """Statuses that a column knows, and the contract does not."""
    return tuple(value for value in found.labels or found.present if value not in named)


def ledger_check(connection: Connection[Any], ledger: Ledger, relation: Relation) -> PreflightCheck:
    """The values for kinds of entries and for the sides of the books."""
    named = {"ledger.entry_types": (ledger.entry_type, tuple(ledger.entry_types.values()))}
    if isinstance(ledger, SidedLedger) and ledger.side is not None:
        named["ledger.debit, ledger.credit"] = (ledger.side, (ledger.debit, ledger.credit))
    problems: list[Problem] = []
    for place, (column, values) in named.items():
        found = column_values(connection, relation, column, values, ledger.trace_id)
        refused = list(found.problems(place, f"{relation.text}.{column}"))
        absent = [
            value
            for value in values
            if value not in found.present
            and not _occurs(connection, relation, column, value, ledger.trace_id)
        ]
        problems += refused or _missing(place, column, absent, values, found.present)
    fine = "the values of the contract are values of the ledger"
    return check_from("ledger.words", problems, fine)


def address_problems(
    connection: Connection[Any], relation: Relation, name: str
) -> Iterator[Problem]:
    """That a column can hold the addresses that a run makes for itself."""
    sample = address_text(0, 0)
    if not _admits(connection, relation.columns[name], [], sample):
        yield Problem(
            f"nonces.address: column {relation.text}.{name} ({relation.columns[name].type}) cannot"
            f" hold an address such as {sample}",
            "list the addresses that the system knows: addresses = [...]",
        )


def _missing(
    place: str,
    column: str,
    absent: Iterable[str],
    values: Iterable[str],
    present: tuple[str, ...],
) -> Iterator[Problem]:
    """Values that no booking has, where there are bookings of signals: each would have them all."""
    if not present or len(present) >= _WORDS_MAX:
        return
    rest = [value for value in present if value not in {*values}]
    for value in absent:
        yield Problem(
            f"{place}: no row has {value!r} in column {column}; it has {', '.join(present)}",
            suggest(value, rest) or f"name a value of column {column}",
        )


def _variants(place: str, values: Iterable[str], present: tuple[str, ...]) -> Iterator[Problem]:
    """Values that are there in another spelling only: other capitals, blanks or dashes."""
    by_letters = {_NO_LETTER.sub("", value).casefold(): value for value in present}
    for value in values:
        other = by_letters.get(_NO_LETTER.sub("", value).casefold())
        if other is not None and value not in present and other not in {*values}:
            yield Problem(f"{place}: rows have {other!r}, not {value!r}", f"write {other!r}")


def _admits(
    connection: Connection[Any], column: Column, conditions: Iterable[str], value: str
) -> bool:
    """Whether a column can hold a value. Nothing is written: the server converts and evaluates."""
    # A type comes from the catalog as SQL writes it, and a percent sign may stand in it.
    as_type = f"CAST(%s AS {column.type})".replace("%", "%%").replace("%%s", "%s", 1)
    queries = [f"SELECT ({as_type})::text = %s"]
    values: list[tuple[str, ...]] = [(value, value)]
    for condition in conditions:
        escaped, name = condition.replace("%", "%%"), identifier(column.name).replace("%", "%%")
        queries.append(f"SELECT ({escaped}) FROM (SELECT {as_type} AS {name}) t")  # noqa: S608
        values.append((value,))
    for query, given in zip(queries, values, strict=True):
        try:
            row = connection.execute(query.encode(), given).fetchone()
        except (psycopg.DataError, psycopg.IntegrityError):
            return False
        except psycopg.ProgrammingError:
            continue  # a function that the login may not call; the rows will show it
        if row is not None and row[0] is False:
            return False
    return True


def _literals(texts: Iterable[str]) -> list[str]:
    found = [one.replace("''", "'") for text in texts for one in _LITERAL.findall(text)]
    return list(dict.fromkeys(found))[:_WORDS_MAX]


def _referred(connection: Connection[Any], relation: Relation, column: Column) -> tuple[str, ...]:
    """The values of a table that a column refers to."""
    row = connection.execute(_REFERS_TO, (relation.oid, column.number)).fetchone()
    if row is None:
        return ()
    schema, table, key = row
    query = sql.SQL("SELECT {key}::text FROM {table} ORDER BY 1 LIMIT {most}").format(
        key=sql.Identifier(key),
        table=sql.Identifier(schema, table),
        most=sql.Literal(_WORDS_MAX),
    )
    found = tuple(value for (value,) in connection.execute(query).fetchall())
    return found if len(found) < _WORDS_MAX else ()


def _occurs(
    connection: Connection[Any], relation: Relation, name: str, value: str, trace_id: str
) -> bool:
    """Whether any row of a signal has a value, the rows beyond the sample included."""
    query = sql.SQL(
        "SELECT EXISTS (SELECT FROM {table} WHERE {trace} IS NOT NULL AND {column}::text = {value})"
    ).format(
        table=sql.Identifier(relation.schema, relation.name),
        trace=sql.Identifier(trace_id),
        column=sql.Identifier(name),
        value=sql.Literal(value),
    )
    try:
        row = connection.execute(query).fetchone()
    except psycopg.errors.QueryCanceled:  # a table too large to be sure
        return True
    return row is not None and bool(row[0])


def _present(
    connection: Connection[Any], relation: Relation, name: str, trace_id: str | None
) -> tuple[str, ...]:
    query = sql.SQL(
        "SELECT DISTINCT v FROM (SELECT {column}::text AS v FROM {table} WHERE {own}"
        " LIMIT {rows}) s WHERE v IS NOT NULL ORDER BY 1 LIMIT {most}"
    ).format(
        column=sql.Identifier(name),
        table=sql.Identifier(relation.schema, relation.name),
        own=sql.SQL("{} IS NOT NULL").format(sql.Identifier(trace_id))
        if trace_id
        else sql.SQL("true"),
        rows=sql.Literal(SAMPLE_MAX),
        most=sql.Literal(_WORDS_MAX),
    )
    return tuple(value for (value,) in connection.execute(query).fetchall())
