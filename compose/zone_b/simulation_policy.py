"""Which orders are simulated in full."""

from __future__ import annotations

import redis

from zone_b.message import Order
from zone_b.trade import Mode

FULL_ABOVE_PERCENT = 15
# Longer than any block stays the head.
_FIRST_RUN_TTL_S = 3600


def mode_of(order: Order) -> Mode:
    """The mode that an order's own content asks for."""
    if order.staged or order.amount_in_wei * 100 > FULL_ABOVE_PERCENT * order.capital_wei:
        return Mode.FULL
    return Mode.LITE


class FirstRuns:
    """Remembers, for all workers, which strategies have run in a block.

    Args:
        client: used by this object only.
        prefix: environment prefix of every key.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def is_first(self, order: Order, block: int) -> bool:
        """Whether this is the strategy's first signal in the block.

        A signal that is delivered again is first again: the mark bears its trace id.
        """
        key = f"{self._prefix}engine:first:{block}:{order.strategy_id}"
        mark = order.trace_id.encode()
        if self._client.set(key, mark, nx=True, ex=_FIRST_RUN_TTL_S):
            return True
        return bool(self._client.get(key) == mark)
