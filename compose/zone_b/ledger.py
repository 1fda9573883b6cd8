"""Double entry: every row takes an amount from one account and gives it to another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zone_b.invariants import Fees


class EntryType(StrEnum):
    """Values of the PostgreSQL enum `ledger_entry_type`."""

    TRADE = "TRADE"
    GAS_FEE = "GAS_FEE"
    PROTOCOL_FEE = "PROTOCOL_FEE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: `amount_wei` leaves the credited account and reaches the debited one."""

    debit_account_id: int
    credit_account_id: int
    amount_wei: int
    entry_type: EntryType


@dataclass(frozen=True, slots=True)
class Book:
    """The accounts that every trade pays into."""

    pool: int
    gas: int
    protocol: int


def entries_of(
    wallet_account_id: int, book: Book, amount_in_wei: int, fees: Fees
) -> tuple[Entry, Entry, Entry]:
    """Rows of one trade: the amount goes to the pool, the fees to those who earn them."""
    return (
        Entry(book.pool, wallet_account_id, amount_in_wei, EntryType.TRADE),
        Entry(book.gas, wallet_account_id, fees.gas_wei, EntryType.GAS_FEE),
        Entry(book.protocol, wallet_account_id, fees.protocol_wei, EntryType.PROTOCOL_FEE),
    )
