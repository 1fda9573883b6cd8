"""Defects of decisions, and of what the metrics count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zone_b.decision_service import Decision
from zone_b.defects.defect import Defect
from zone_b.fsm import Status
from zone_b.head import is_stale
from zone_b.message import Order
from zone_b.trade import Committed, Mode, Read, Rejection, Trade


class RejectsGood(Defect):
    """Refuses good signals."""

    def decided(self, order: Order, decision: Decision | None) -> Decision | None:
        if isinstance(decision, Trade) and self.strikes(order.trace_id):
            return Rejection(order.trace_id, Status.INVARIANT_BROKEN, decision.mode, "drawdown")
        return decision


class AcceptsStale(Defect):
    """Lets stale signals through."""

    def head_for(self, order: Order, head: int) -> int:
        lag_max = self.context.settings.watermark_max_lag
        if is_stale(head, order.last_sync_block, lag_max) and self.strikes(order.trace_id):
            return order.last_sync_block
        return head


class WrongModeLabel(Defect):
    """Counts lite signals as full."""

    def reported(self, done: Committed) -> Committed:
        if done.trade.mode is Mode.LITE and self.strikes(done.trade.order.trace_id):
            return replace(done, trade=replace(done.trade, mode=Mode.FULL))
        return done


class ReorderAgent(Defect):
    """Swaps neighbouring signals of one agent within a batch."""

    def before_reading(self) -> None:
        # One signal at a time has no neighbour: let some come together.
        self.context.wait_s(self.setting("gather_ms") / 1000)

    def select_batch(self, reads: Sequence[Read]) -> Sequence[Read]:
        swapped = list(reads)
        last: dict[str, int] = {}
        for place, read in enumerate(swapped):
            if not isinstance(read, Order):
                continue
            before = last.pop(read.agent_id, None)
            if before is not None and self.strikes(read.trace_id):
                self.note(swapped[before].trace_id)
                swapped[before], swapped[place] = read, swapped[before]
            else:
                last[read.agent_id] = place
        return swapped
