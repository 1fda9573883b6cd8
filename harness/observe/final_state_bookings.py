"""Amounts that were booked, and stamps of rows, as parts of the final state.

Writes `final-bookings.bin` and `final-stamps.bin`, in the snapshot of the other parts. The server
does all arithmetic, since its numbers have no limit: amounts of wei do not fit 64 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from psycopg import Connection, sql

from harness.contract.ledger import Ledger, LedgerTable
from harness.contract.names import Contract, TaskTable
from harness.evidence.records import BOOKING, STAMP
from harness.observe.ledger_rows import signed_amount, transaction_of
from harness.observe.rows import is_own_row, table_name, task_rows

BOOKINGS_FILE = "final-bookings.bin"
STAMPS_FILE = "final-stamps.bin"
# In place of an amount: not exactly one TRADE row; not a whole number below 2^63.
_NOT_ONE, _BEYOND = -2, -1
# A stamp further away is certainly wrong, and differences must fit 64 bits.
_STAMP_MAX_US = 4 * 10**18
_BOOKING_RECORD = struct.Struct("<QQqII")
_STAMP_RECORD = struct.Struct("<QQq")
# 78 digits of an amount, and room for the sum of any number of them.
_DIGITS = 120

if (_BOOKING_RECORD.size, _STAMP_RECORD.size) != (BOOKING.itemsize, STAMP.itemsize):
    raise AssertionError("final rows are packed in another layout than they are read")

_Query = tuple[sql.Composed, tuple[Any, ...]]


class BookingTotals:
    """Sums over the whole run, exact.

    Attributes:
        debits: sum of the debits of known accounts.
        credits: sum of the credits of known accounts.
    """

    def __init__(self) -> None:
        self.debits = self.credits = Decimal(0)

    def add(self, debits: Decimal, credits_: Decimal) -> None:
        """Add those of one signal."""
        with localcontext() as context:
            context.prec = _DIGITS
            context.traps[InvalidOperation] = False  # the server may return NaN
            self.debits += debits
            self.credits += credits_

    def facts(self) -> dict[str, str]:
        """The fields of `final.json`."""
        return {"debits": str(self.debits), "credits": str(self.credits)}


def has_accounts_table(connection: Connection[Any], ledger: Ledger) -> bool:
    """Whether there is a table of accounts that this login may read."""
    if not isinstance(ledger, LedgerTable) or ledger.accounts is None:
        return False
    row = connection.execute(
        "SELECT has_table_privilege(to_regclass(%s), 'SELECT')",
        (table_name(ledger.accounts).as_string(connection),),
    ).fetchone()
    return bool(row and row[0])


def bookings_query(ledger: Ledger, run_tag: int, *, accounts: bool) -> _Query:
    """The run's bookings, one row per signal.

    Columns: trace id; amount of its TRADE entry (of all, if it may have many), or _NOT_ONE, or
    _BEYOND; internal transactions of which debits and credits differ; entries that name an unknown
    account; debits; credits. Amounts of an unknown account count on neither side.

    Args:
        ledger: names of table and columns, and its form.
        run_tag: run whose rows are read.
        accounts: whether to check the accounts.
    """
    debit_known: sql.Composable = sql.SQL("true")
    credit_known = debit_known
    kind = sql.SQL("{}::text = {}").format(
        sql.Identifier(ledger.entry_type), sql.Literal(ledger.entry_types.get("TRADE"))
    )
    if isinstance(ledger, LedgerTable):
        debit: sql.Composable = sql.Identifier(ledger.amount)
        credit, trade = debit, kind
        if accounts:
            debit_known = _is_account(ledger, ledger.debit_account_id)
            credit_known = _is_account(ledger, ledger.credit_account_id)
    else:
        signed = signed_amount(ledger)
        debit = sql.SQL("greatest({}, 0)").format(signed)
        credit = sql.SQL("greatest(-({}), 0)").format(signed)
        # The debit row of a movement represents both rows.
        trade = sql.SQL("{} AND {} > 0").format(kind, signed)
    query = sql.SQL(
        "SELECT trace, CASE WHEN {other_number} THEN {not_one}"
        " WHEN traded BETWEEN 0 AND 9223372036854775807 AND traded = trunc(traded)"
        " THEN traded::bigint ELSE {beyond} END, unbalanced, unknown_accounts, debits, credits"
        " FROM (SELECT trace, sum(trades) AS trades, sum(traded) * {unit} AS traded,"
        " count(*) FILTER (WHERE debits <> credits) AS unbalanced,"
        " sum(unknown_accounts)::bigint AS unknown_accounts,"
        " sum(debits) AS debits, sum(credits) AS credits"
        " FROM (SELECT {trace}::text AS trace, {transaction}::text AS transaction,"
        " count(*) FILTER (WHERE {trade}) AS trades,"
        " coalesce(sum({debit}) FILTER (WHERE {trade}), 0)::numeric AS traded,"
        " coalesce(sum({debit}) FILTER (WHERE {debit_known}), 0)::numeric AS debits,"
        " coalesce(sum({credit}) FILTER (WHERE {credit_known}), 0)::numeric AS credits,"
        " count(*) FILTER (WHERE ({debit_known} AND {credit_known}) IS NOT TRUE)"
        " AS unknown_accounts"
        " FROM {table} WHERE {own} GROUP BY 1, 2) bookings GROUP BY trace) signals"
    ).format(
        other_number=sql.SQL("trades <> 1" if ledger.entries == "one" else "trades < 1"),
        unit=sql.Literal(10**ledger.decimals),
        not_one=sql.Literal(_NOT_ONE),
        beyond=sql.Literal(_BEYOND),
        trace=sql.Identifier(ledger.trace_id),
        transaction=transaction_of(ledger),
        trade=trade,
        debit=debit,
        credit=credit,
        debit_known=debit_known,
        credit_known=credit_known,
        table=table_name(ledger.table),
        own=is_own_row(ledger, ledger.trace_id),
    )
    return query, ledger.run_range(run_tag)


def _is_account(ledger: LedgerTable, column: str) -> sql.Composed:
    return sql.SQL("{column}::text IN (SELECT {id}::text FROM {accounts})").format(
        column=sql.Identifier(column),
        id=sql.Identifier(ledger.account_id),
        accounts=table_name(ledger.accounts or ""),
    )


def pack_bookings(
    rows: Iterable[tuple[Any, ...]], ledger: Ledger, totals: BookingTotals
) -> Iterator[bytes]:
    """BOOKING records of the rows; adds their amounts to `totals`."""
    for trace, amount, unbalanced, unknown_accounts, debits, credits_ in rows:
        if (ids := ledger.read(trace)) is not None:
            totals.add(debits, credits_)
            yield _BOOKING_RECORD.pack(*ids, amount, unbalanced, unknown_accounts)


def has_stamps(connection: Connection[Any], contract: Contract) -> bool:
    """Whether rows have an unambiguous stamp: one with a time zone."""
    tasks = contract.tasks
    if tasks.updated_at is None:
        return False
    row = connection.execute(
        "SELECT format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attname = %s",
        (table_name(tasks.table).as_string(connection), tasks.updated_at),
    ).fetchone()
    return row is not None and row[0] == "timestamp with time zone"


def stamps_query(contract: Contract, run_tag: int) -> _Query:
    """Trace id and last change, in Unix microseconds, of the run's FSM rows that have one."""
    tasks = contract.tasks
    columns = {
        "trace": sql.Identifier(tasks.trace_id),
        "stamp": sql.Identifier(tasks.updated_at or ""),
    }
    query = sql.SQL(
        "SELECT trace::text,"
        " least(greatest(extract(epoch FROM stamp) * 1000000, -{most}), {most})::bigint"
        " FROM {rows} WHERE {own} AND isfinite(stamp)"
    ).format(
        most=sql.Literal(_STAMP_MAX_US),
        rows=task_rows(tasks, columns),
        own=is_own_row(tasks, "trace"),
    )
    return query, tasks.run_range(run_tag)


def pack_stamps(rows: Iterable[tuple[Any, ...]], tasks: TaskTable) -> Iterator[bytes]:
    """STAMP records of the rows."""
    for trace, updated_us in rows:
        if (ids := tasks.read(trace)) is not None:
            yield _STAMP_RECORD.pack(*ids, updated_us)
