"""Defects of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zone_b.defects.defect import Defect
from zone_b.defects.nonces import wallet_of
from zone_b.message import Order
from zone_b.trade import Committed, Trade

_UNWRITE = "DELETE FROM ledger_entries WHERE trace_id = %(trace)s AND entry_type = 'GAS_FEE'"
_UNWRITE_ALL = "DELETE FROM ledger_entries WHERE trace_id = %(trace)s"
_FROM_NOBODY = """
UPDATE ledger_entries SET credit_account_id = 0
WHERE trace_id = %(trace)s AND entry_type = 'PROTOCOL_FEE'
"""
_BOOK = """
INSERT INTO ledger_entries (
    internal_tx_id, trace_id, debit_account_id, credit_account_id, amount, entry_type)
SELECT booking.id, %(trace)s::uuid, taker.id, wallet.id, %(amount)s, booked.kind::ledger_entry_type
FROM (SELECT gen_random_uuid() AS id) AS booking
CROSS JOIN (VALUES ('pool', 'TRADE'), ('gas', 'GAS_FEE'), ('protocol', 'PROTOCOL_FEE'))
    AS booked (taker, kind)
JOIN accounts AS taker
    ON taker.kind = booked.taker AND taker.address = '' AND taker.chain_id = %(chain)s
JOIN accounts AS wallet
    ON wallet.kind = 'wallet' AND wallet.address = %(address)s AND wallet.chain_id = %(chain)s
"""
_SECOND_NONCE = """
UPDATE nonce_locks SET nonce = nonce + 1 WHERE address = %(address)s AND chain_id = %(chain)s
"""


class _After(Defect):
    """Runs statements after a trade's commit."""

    statements: tuple[str, ...] = ()

    def after_commit(self, done: Committed) -> None:
        order = done.trade.order
        if self.strikes(order.trace_id):
            self.context.database.run(*self.statements, **booking_of(order))


class LedgerMissingEntry(_After):
    """Does not write the gas fee's ledger row."""

    statements = (_UNWRITE,)


class LedgerMissing(_After):
    """Does not book a simulated signal at all."""

    statements = (_UNWRITE_ALL,)


class LedgerUnbalanced(_After):
    """Takes the protocol fee from an account that does not exist."""

    statements = (_FROM_NOBODY,)


class ProcessTwice(_After):
    """Books a signal again in a second internal transaction, which takes a second nonce."""

    statements = (_SECOND_NONCE, _BOOK)


class LedgerWrongAmount(Defect):
    """Books one wei more than the signal asked for."""

    def commits(self, trades: Sequence[Trade]) -> Sequence[Trade]:
        return [
            replace(trade, order=replace(trade.order, amount_in_wei=trade.order.amount_in_wei + 1))
            if self.strikes(trade.order.trace_id)
            else trade
            for trade in trades
        ]


class LedgerUndue(Defect):
    """Books a signal that it rejected."""

    def after_rejection(self, trace_id: str) -> None:
        order = self.context.orders.get(trace_id)
        if order is not None and self.strikes(trace_id):
            self.context.database.run(_BOOK, **booking_of(order))


def booking_of(order: Order) -> dict[str, object]:
    """Parameters of a booking."""
    return {**wallet_of(order), "trace": order.trace_id, "amount": order.amount_in_wei}
