"""The ledger by query: one row per signal, for either form of ledger."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from harness.contract.ledger import ENTRY_ROLES, Ledger, LedgerTable, SidedLedger
from harness.observe.rows import is_own_row, table_name

_Query = tuple[sql.Composed, tuple[Any, ...]]


def ledger_query(ledger: Ledger, run_tag: int) -> _Query:
    """The run's ledger: trace id, entries of each type, transactions, and broken rows.

    A row is broken if its amount is not positive, if it moves nothing from one account to
    another, or if the contract does not name its type. In a ledger with sides, the rows of one type
    of one transaction are broken if they do not add up to zero.
    """
    kinds = tuple(ledger.entry_types.get(role) for role in ENTRY_ROLES)
    known = list(ledger.entry_types.values())
    query = _movements(ledger) if isinstance(ledger, LedgerTable) else _sides(ledger)
    return query, (*kinds, known, *ledger.run_range(run_tag))


def _movements(ledger: LedgerTable) -> sql.Composed:
    return sql.SQL(
        "SELECT {trace}::text, count(*) FILTER (WHERE {kind} = %s),"
        " count(*) FILTER (WHERE {kind} = %s), count(*) FILTER (WHERE {kind} = %s),"
        " count(DISTINCT {transaction}),"
        " count(*) FILTER (WHERE ({amount} > 0 AND {amount}::text <> 'NaN' AND {debit} <> {credit}"
        " AND {kind} = ANY(%s)) IS NOT TRUE)"
        " FROM (SELECT *, {entry_type}::text AS {kind} FROM {table} WHERE {own}) entries"
        " GROUP BY {trace}"
    ).format(
        trace=sql.Identifier(ledger.trace_id),
        kind=sql.Identifier("harness_kind"),
        entry_type=sql.Identifier(ledger.entry_type),
        transaction=transaction_of(ledger),
        amount=sql.Identifier(ledger.amount),
        debit=sql.Identifier(ledger.debit_account_id),
        credit=sql.Identifier(ledger.credit_account_id),
        own=is_own_row(ledger, ledger.trace_id),
        table=table_name(ledger.table),
    )


def _sides(ledger: SidedLedger) -> sql.Composed:
    amount, signed = sql.Identifier(ledger.amount), signed_amount(ledger)
    # Amounts written with a side are positive; without one the sign is the side.
    good = sql.SQL(
        "{amount} > 0 AND {amount}::text <> 'NaN'"
        if ledger.side
        # NaN is greater than any number, and its negative is NaN again.
        else "{amount} <> 0 AND {amount}::text <> 'NaN'"
    ).format(amount=amount)
    return sql.SQL(
        "SELECT trace, coalesce(sum(debits) FILTER (WHERE kind = %s), 0)::bigint,"
        " coalesce(sum(debits) FILTER (WHERE kind = %s), 0)::bigint,"
        " coalesce(sum(debits) FILTER (WHERE kind = %s), 0)::bigint,"
        " count(DISTINCT transaction),"
        " sum(CASE WHEN bad = 0 AND total = 0 AND debits = credits AND kind = ANY(%s)"
        " THEN 0 ELSE entries END)::bigint"
        " FROM (SELECT {trace}::text AS trace, {transaction}::text AS transaction,"
        " {entry_type}::text AS kind, count(*) AS entries, sum({signed}) AS total,"
        " count(*) FILTER (WHERE {signed} > 0) AS debits,"
        " count(*) FILTER (WHERE {signed} < 0) AS credits,"
        " count(*) FILTER (WHERE ({good} AND {signed} IS NOT NULL) IS NOT TRUE) AS bad"
        " FROM {table} WHERE {own} GROUP BY 1, 2, 3) parts GROUP BY trace"
    ).format(
        trace=sql.Identifier(ledger.trace_id),
        transaction=transaction_of(ledger),
        entry_type=sql.Identifier(ledger.entry_type),
        signed=signed,
        good=good,
        table=table_name(ledger.table),
        own=is_own_row(ledger, ledger.trace_id),
    )


def transaction_of(ledger: Ledger) -> sql.Composable:
    """What the rows of one booking share; one value for the whole signal where no column does."""
    return sql.Identifier(ledger.internal_tx_id) if ledger.internal_tx_id else sql.SQL("''")


def signed_amount(ledger: SidedLedger) -> sql.Composable:
    """A row's amount, positive for a debit and negative for a credit; null for neither."""
    amount = sql.Identifier(ledger.amount)
    if ledger.side is None:
        return amount
    return sql.SQL(
        "CASE {side}::text WHEN {debit} THEN {amount} WHEN {credit} THEN -{amount} END"
    ).format(
        side=sql.Identifier(ledger.side),
        debit=sql.Literal(ledger.debit),
        credit=sql.Literal(ledger.credit),
        amount=amount,
    )
