"""Defects of the nonces."""

from __future__ import annotations

from collections.abc import Sequence

from zone_b.defects.defect import Defect
from zone_b.message import Order
from zone_b.trade import Committed, Trade

_ADVANCE = """
UPDATE nonce_locks SET nonce = nonce + 1 WHERE address = %(address)s AND chain_id = %(chain)s
"""
_STEP_BACK = """
UPDATE nonce_locks SET nonce = nonce - 1
WHERE address = %(address)s AND chain_id = %(chain)s AND nonce > 0
"""
# The holder's name shows every worker that the row is off, and that only for now.
_PUT_OFF = """
UPDATE nonce_locks SET nonce = nonce + 1, locked_by = 'nonce_row_off'
WHERE address = %(address)s AND chain_id = %(chain)s
  AND locked_by IS DISTINCT FROM 'nonce_row_off'
"""
_PUT_RIGHT = """
UPDATE nonce_locks SET nonce = nonce - 1, locked_by = NULL
WHERE address = %(address)s AND chain_id = %(chain)s AND locked_by = 'nonce_row_off'
"""

_Wallet = tuple[str, int]


class SkipNonce(Defect):
    """Advances an address's nonce by two."""

    def after_commit(self, done: Committed) -> None:
        order = done.trade.order
        if self.strikes(order.trace_id):
            self.context.database.run(_ADVANCE, **wallet_of(order))


class RepeatNonce(Defect):
    """Gives the nonce of the signal before once more."""

    def before_commit(self, trades: Sequence[Trade]) -> None:
        first: dict[_Wallet, Order] = {}
        struck: dict[_Wallet, None] = {}
        for trade in trades:
            order = trade.order
            wallet = (order.address, order.chain_id)
            first.setdefault(wallet, order)
            if self.trigger.strikes(order.trace_id):
                struck[wallet] = None
        for wallet in struck:
            # The first of its address in this batch is the one that the old nonce goes to.
            if self.context.database.run(_STEP_BACK, **wallet_of(first[wallet])):
                self.note(first[wallet].trace_id)


class NonceRowOff(Defect):
    """Leaves the next nonce of an address one too high, until the address trades again."""

    def set_up(self) -> None:
        self._noted: set[str] = set()

    def before_commit(self, trades: Sequence[Trade]) -> None:
        for order in {trade.order.address: trade.order for trade in trades}.values():
            self.context.database.run(_PUT_RIGHT, **wallet_of(order))

    def after_commit(self, done: Committed) -> None:
        order = done.trade.order
        if not self.trigger.strikes(order.address):
            return
        if order.address not in self._noted:
            self._noted.add(order.address)
            self.note(order.trace_id)
        self.context.database.run(_PUT_OFF, **wallet_of(order))


def wallet_of(order: Order) -> dict[str, object]:
    """Parameters that name an order's address."""
    return {"address": order.address, "chain": order.chain_id}
