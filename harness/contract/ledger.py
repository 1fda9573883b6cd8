"""The ledger's table, in two forms of double-entry bookkeeping."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from harness.contract.frozen import Name, NameIfAny, false_is_none
from harness.contract.trace_column import TraceColumn

# Kinds of entries of a trade; a system may omit some of them.
EntryRole = Literal["TRADE", "GAS_FEE", "PROTOCOL_FEE"]
ENTRY_ROLES: tuple[EntryRole, ...] = ("TRADE", "GAS_FEE", "PROTOCOL_FEE")

EntryTypes = Annotated[dict[EntryRole, Name], Field(min_length=1)]


def _own_types() -> dict[EntryRole, str]:
    return {role: role for role in ENTRY_ROLES}


class LedgerBase(TraceColumn):
    """Attributes of both forms.

    Attributes:
        entries: whether a signal has one entry of each type in one booking, or several that add up
            (partial fills).
        decimals: decimal places of the ledger's unit: 18 where 1 is 10^18 wei.
    """

    entries: Literal["one", "many"] = "one"
    decimals: Annotated[int, Field(ge=0, le=36)] = 0


class LedgerTable(LedgerBase):
    """One row a movement of `amount` from one account to the other.

    Attributes:
        internal_tx_id: column that groups the rows of one booking; None without one.
        entry_types: the system's name for each kind of entry that it books.
        accounts: table of the accounts; without one, unknown accounts cannot be detected.
        account_id: column of the account's id in it.
    """

    form: Literal["movements"] = "movements"
    table: Name = "ledger_entries"
    internal_tx_id: NameIfAny = "internal_tx_id"
    debit_account_id: Name = "debit_account_id"
    credit_account_id: Name = "credit_account_id"
    amount: Name = "amount"
    entry_type: Name = "entry_type"
    entry_types: EntryTypes = Field(default_factory=_own_types)
    accounts: NameIfAny = "accounts"
    account_id: Name = "id"


class SidedLedger(LedgerBase):
    """One row a side: a movement is a debit row and a credit row of the same amount.

    Attributes:
        side: column of the side; None where a debit's amount is positive and a credit's negative.
        debit: value of `side` for a debit.
        credit: value of `side` for a credit.
    """

    form: Literal["sides"]
    table: Name
    internal_tx_id: NameIfAny
    trace_id: Name
    amount: Name
    side: NameIfAny
    debit: Name = "DEBIT"
    credit: Name = "CREDIT"
    entry_type: Name
    entry_types: EntryTypes


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("form", "movements"))
    return str(getattr(value, "form", ""))


Ledger = Annotated[
    Annotated[LedgerTable, Tag("movements")] | Annotated[SidedLedger, Tag("sides")],
    Discriminator(
        _form, custom_error_type="form", custom_error_message="form is movements or sides"
    ),
]
LedgerIfAny = Annotated[Ledger | None, BeforeValidator(false_is_none)]
