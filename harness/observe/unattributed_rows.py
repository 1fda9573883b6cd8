"""Rows of the final state of no signal of the run, where nobody else should have any."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from harness.contract.ledger import Ledger
from harness.contract.names import Contract, TaskTable
from harness.observe.rows import is_own_row, table_name

EXAMPLES_MAX = 20


def read_unattributed(
    connection: Connection[Any], contract: Contract, run_tag: int
) -> dict[str, Any]:
    """How many rows of tasks and of the ledger have a trace id of others, and some of these ids.

    It reads whole tables, so it is for databases that were made for the run. Rows without a trace
    id are nobody's.
    """
    tables: dict[str, TaskTable | Ledger] = {"tasks": contract.tasks}
    if contract.ledger is not None:
        tables["ledger"] = contract.ledger
    counts, traces = {}, list[str]()
    for name, table in tables.items():
        rows = connection.execute(_query(table), table.run_range(run_tag)).fetchall()
        counts[name] = int(rows[0][1]) if rows else 0
        traces += [str(trace) for trace, _ in rows]
    return {**counts, "traces": list(dict.fromkeys(traces))[:EXAMPLES_MAX]}


def _query(table: TaskTable | Ledger) -> sql.Composed:
    """The first ids, each beside the number of all rows."""
    return sql.SQL(
        "SELECT {trace}::text, count(*) OVER () FROM {table}"
        " WHERE ({own}) IS FALSE ORDER BY 1 LIMIT {most}"
    ).format(
        trace=sql.Identifier(table.trace_id),
        table=table_name(table.table),
        own=is_own_row(table, table.trace_id),
        most=sql.Literal(EXAMPLES_MAX),
    )
