"""Decides about orders: the Sync Sentinel, the simulation and the invariants. Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from zone_b import metrics
from zone_b.amm import GAS_ESTIMATE, SimulationRevertedError, SwapOutcome
from zone_b.chain_state import StateUnavailableError
from zone_b.fsm import Status
from zone_b.full import Answer, FullSimulator, SimulationTimeoutError
from zone_b.head import is_stale
from zone_b.invariants import broken_invariant, fees_of
from zone_b.lite import LiteSimulator
from zone_b.message import Order
from zone_b.simulation_policy import mode_of
from zone_b.trade import Mode, Rejection, Trade

Decision = Trade | Rejection


class DecisionService:
    """One worker's judgement.

    Args:
        lite: simulator in memory.
        full: simulator on a node.
        lag_max: blocks that the head may be past a signal.
        first_in_block: whether this is a strategy's first order in a block; such are simulated
            in full.
    """

    def __init__(
        self,
        lite: LiteSimulator,
        full: FullSimulator,
        lag_max: int,
        first_in_block: Callable[[Order, int], bool],
    ) -> None:
        self._lite = lite
        self._full = full
        self._lag_max = lag_max
        self._first_in_block = first_in_block

    def decide(self, order: Order, head: int) -> Decision | None:
        """The decision on an order, or None if it must be simulated in full."""
        metrics.LAG.set(max(0, head - order.last_sync_block))
        if is_stale(head, order.last_sync_block, self._lag_max):
            return Rejection(order.trace_id, Status.STALE_DATA_ERROR, mode_of(order), "stale")
        if mode_of(order) is Mode.FULL or self._first_in_block(order, head):
            return None
        misses = self._lite.misses
        try:
            outcome = self._lite.simulate(order.amount_in_wei, head)
        except SimulationRevertedError:
            return Rejection(order.trace_id, Status.INVARIANT_BROKEN, Mode.LITE, "reverted")
        except StateUnavailableError:
            return Rejection(order.trace_id, Status.SIMULATION_UNAVAILABLE, Mode.LITE, "no_state")
        finally:
            metrics.STATEDB.labels("hit" if self._lite.misses == misses else "miss").inc()
        return self._judge(order, outcome, Mode.LITE)

    def decide_in_full(self, orders: Sequence[Order], head: int) -> list[Decision]:
        """The decisions on these orders, after one request to the node for all of them."""
        started_ns = time.monotonic_ns()
        answers = self._full.simulate([order.amount_in_wei for order in orders], head)
        metrics.RPC.labels("anvil").observe((time.monotonic_ns() - started_ns) / 1e6)
        return [
            self._judge_answer(order, answer) for order, answer in zip(orders, answers, strict=True)
        ]

    def _judge_answer(self, order: Order, answer: Answer) -> Decision:
        if isinstance(answer, SwapOutcome):
            return self._judge(order, answer, Mode.FULL)
        if isinstance(answer, SimulationRevertedError):
            return Rejection(order.trace_id, Status.INVARIANT_BROKEN, Mode.FULL, "reverted")
        if isinstance(answer, SimulationTimeoutError):
            return Rejection(order.trace_id, Status.SIMULATION_TIMEOUT, Mode.FULL, "timeout")
        return Rejection(order.trace_id, Status.SIMULATION_UNAVAILABLE, Mode.FULL, "unavailable")

    def _judge(self, order: Order, outcome: SwapOutcome, mode: Mode) -> Decision:
        fees = fees_of(order.amount_in_wei, order.gas_price_wei, outcome)
        broken = broken_invariant(
            amount_in_wei=order.amount_in_wei,
            capital_wei=order.capital_wei,
            slippage_max_bps=order.slippage_max_bps,
            fees=fees,
            outcome=outcome,
            gas_estimate=GAS_ESTIMATE,
        )
        if broken is not None:
            return Rejection(order.trace_id, Status.INVARIANT_BROKEN, mode, broken)
        return Trade(order, fees, mode)
