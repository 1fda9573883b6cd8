"""What a contract needs of the database: tables, columns, and what each column is read as."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from harness.contract.ledger import LedgerTable, SidedLedger
from harness.contract.names import Contract


class ColumnUse(StrEnum):
    """What a column is read as, and so what it may be."""

    TRACE = "a trace id"
    WHOLE = "a whole number"
    AMOUNT = "an exact number"
    MOMENT = "a moment"
    TEXT = "a text"


class RequiredTable(NamedTuple):
    """What a contract says of one table.

    Attributes:
        id: what the ids of its checks begin with.
        key: the table's place in the contract.
        columns: key in the contract, name and use of each column.
        trace_type: type that the contract gives the column of the trace id.
        absent: why there is no such table; empty where the contract names one.
    """

    id: str
    key: str
    table: str = ""
    columns: Mapping[str, tuple[str, ColumnUse]] = {}
    trace_type: str = ""
    absent: str = ""


def required_tables(contract: Contract) -> tuple[RequiredTable, ...]:
    """The tables that a contract names, and those that it does without."""
    return (
        _tasks(contract),
        _archive(contract),
        _nonces(contract),
        _ledger(contract),
        _accounts(contract),
    )


def _tasks(contract: Contract) -> RequiredTable:
    tasks = contract.tasks
    uses = {
        "trace_id": ColumnUse.TRACE,
        "status": ColumnUse.TEXT,
        "nonce": ColumnUse.WHOLE,
        "updated_at": ColumnUse.MOMENT,
        "created_at": ColumnUse.TEXT,
    }
    if "internal_tx_id" in tasks.model_fields_set:  # nothing reads it, but a typo is a typo
        uses["internal_tx_id"] = ColumnUse.TEXT
    return RequiredTable(
        "tasks", "tasks.table", tasks.table, _named("tasks", tasks, uses), tasks.trace_type
    )


def _archive(contract: Contract) -> RequiredTable:
    archive = contract.tasks.archive
    if archive is None:
        return RequiredTable("archive", "tasks.archive", absent="the contract names no archive")
    return _tasks(contract)._replace(id="archive", key="tasks.archive", table=archive)


def _nonces(contract: Contract) -> RequiredTable:
    nonces = contract.nonces
    if nonces is None:
        return RequiredTable("nonces", "nonces.table", absent="the contract names no nonces")
    uses = {"address": ColumnUse.TEXT, "chain_id": ColumnUse.WHOLE, "nonce": ColumnUse.WHOLE}
    return RequiredTable("nonces", "nonces.table", nonces.table, _named("nonces", nonces, uses))


def _ledger(contract: Contract) -> RequiredTable:
    ledger = contract.ledger
    if ledger is None:
        return RequiredTable("ledger", "ledger.table", absent="the contract names no ledger")
    uses = {
        "trace_id": ColumnUse.TRACE,
        "internal_tx_id": ColumnUse.TEXT,
        "amount": ColumnUse.AMOUNT,
    }
    own = ["side"] if isinstance(ledger, SidedLedger) else ["debit_account_id", "credit_account_id"]
    uses |= dict.fromkeys([*own, "entry_type"], ColumnUse.TEXT)
    columns = _named("ledger", ledger, uses)
    return RequiredTable("ledger", "ledger.table", ledger.table, columns, ledger.trace_type)


def _accounts(contract: Contract) -> RequiredTable:
    ledger = contract.ledger
    if not isinstance(ledger, LedgerTable) or ledger.accounts is None:
        return RequiredTable("accounts", "ledger.accounts", absent="the contract names no accounts")
    columns = {"ledger.account_id": (ledger.account_id, ColumnUse.TEXT)}
    return RequiredTable("accounts", "ledger.accounts", ledger.accounts, columns)


def _named(
    table: str, names: object, uses: Mapping[str, ColumnUse]
) -> dict[str, tuple[str, ColumnUse]]:
    named = {key: (getattr(names, key), use) for key, use in uses.items()}
    return {f"{table}.{key}": pair for key, pair in named.items() if pair[0] is not None}
