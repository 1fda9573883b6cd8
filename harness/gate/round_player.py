"""Plays one round on the node and returns what was observed; judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.analysis.gate.pool_code import POOL
from harness.analysis.gate.pool_math import initial_reserves, min_amount_out, moved_reserves
from harness.analysis.gate.risk_limits import gas_price_of
from harness.evidence.gate_log import ChainStage, DecisionRecord, FuzzCase, RoundObservation
from harness.gate.chain import Chain
from harness.gate.decision_service import DecisionService
from harness.gate.fault_proxy import FaultProxy
from harness.json_rpc import LostError, Rpc

_BASE_FEE_WEI = 10**9
# Depth of a reorganisation below the block of the swap; the pool must be older.
_BLOCKS_BELOW = 4
_HEADS_PER_ROUND = 10
# After some hundreds of blocks the node moves states to disk; one that it reads back after a
# reorganisation has lost its code (Anvil 1.7.1: calls return nothing).
_FRESH_EVERY = 25
# The node requires a price 10 % higher to replace a transaction.
_REPLACED_TIMES, _REPLACED_PARTS = 13, 10


@dataclass
class RoundPlayer:
    """Plays rounds.

    Attributes:
        chain: the node, without the proxy.
        short_timeout_rpc: the node over the proxy, with a short timeout.
        proxy: injects network faults in front of the node.
        decision_service: uses the node over the proxy.
    """

    chain: Chain
    short_timeout_rpc: Rpc
    proxy: FaultProxy
    decision_service: DecisionService

    def play(self, case: FuzzCase, number: int) -> RoundObservation:
        """One round; every round begins from the same state.

        Raises:
            LostError: the node does not answer without a fault.
            RefusedError: it answers with an unexpected error.
            StackError: the decision service makes no decision.
        """
        chain, head = self.chain, number * _HEADS_PER_ROUND
        asked: list[DecisionRecord] = []

        def ask(when: ChainStage, later: int = 0) -> None:
            asked.append(self.decision_service.ask(case, when, head + later))

        if number % _FRESH_EVERY == 0:
            chain.set_up()
        chain.reset()
        chain.burn(case.burn)
        chain.set_pool(initial_reserves(case))
        chain.set_base_fee(_BASE_FEE_WEI * case.price_times)
        chain.mine(_BLOCKS_BELOW)
        before = chain.pool()
        if case.rpc:
            self.proxy.set_fault(case.rpc)
            ask("stalled")
            self._clear()
        ask("before")
        if "price" in case.kinds:
            chain.set_pool(moved_reserves(case))
            chain.mine(_BLOCKS_BELOW)
            ask("moved", 1)
        moved, call = chain.pool(), chain.rehearse(case.amount_in)
        nonce, balance = chain.nonce(), chain.balance()
        early, refused = self._send(case, nonce)
        nonces_mined = chain.nonce() - nonce
        receipts = chain.receipts(nonces_mined)
        swaps = [receipt for receipt in receipts if receipt["to"] == POOL]
        mined, balance_mined = chain.pool(), chain.balance()
        forked = 0
        if case.reorg_depth:
            chain.mine(case.buried)
            ask("mined", 2)
            forked = chain.reorganise(case.reorg_depth)
            # The decision service does not learn of it: the head has the same height as before.
            ask("reorged", 2)
        events = [_event(log) for receipt in swaps for log in receipt["logs"]]
        return RoundObservation(
            before=before,
            moved=moved,
            mined=mined,
            after=chain.pool(),
            call_out=call[0] if call else None,
            call_gas=call[1] if call else None,
            asked=tuple(asked),
            succeeded=sum(receipt["status"] == "0x1" for receipt in swaps),
            reverted=sum(receipt["status"] != "0x1" for receipt in swaps),
            early=early,
            event_in=sum(paid_in for paid_in, _ in events),
            event_out=sum(paid_out for _, paid_out in events),
            fee_paid=sum(
                int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
                for receipt in receipts
            ),
            balance_lost=balance - balance_mined,
            nonces_mined=nonces_mined,
            nonces=chain.nonce() - nonce,
            refused=refused,
            forked=forked,
        )

    def _send(self, case: FuzzCase, nonce: int) -> tuple[int, tuple[str, ...]]:
        """Send the swap, with the nonce conflict of the case, and mine it.

        Returns:
            number of transactions mined before the nonce below theirs was used, and why
            others were refused.
        """
        chain, price, early = self.chain, gas_price_of(case), 0
        other = chain.swap(max(1, case.amount_in // 2), 0, price, nonce)
        refused = []
        if case.nonce == "replaced":
            refused.append(chain.send(other))
            price = -(-price * _REPLACED_TIMES // _REPLACED_PARTS)
        own = nonce + 1 if case.nonce == "gap" else nonce
        swap = chain.swap(case.amount_in, min_amount_out(case), price, own)
        self._deliver(case, swap)
        if case.nonce == "again":
            refused.append(chain.send(swap))
        elif case.nonce == "underpriced":
            refused.append(chain.send(other))
        elif case.nonce == "gap":
            chain.mine()
            early = chain.nonce() - nonce
            refused.append(chain.send(chain.filler(price, nonce)))
        chain.mine()
        if case.nonce == "low":
            refused.append(chain.send(other))
        return early, tuple(why for why in refused if why)

    def _deliver(self, case: FuzzCase, swap: dict[str, str]) -> None:
        """Send the swap again after a timeout, as a client does that does not know its outcome.

        The node's answer does not matter: its blocks show whether it is mined once.
        """
        if case.rpc:
            self.proxy.set_fault(case.rpc)
            try:
                self.chain.send(swap, over=self.short_timeout_rpc)
            except LostError:
                if case.rpc == "stall":  # the first one arrives after the second
                    self.chain.send(swap)
            finally:
                self._clear()
        self.chain.send(swap)

    def _clear(self) -> None:
        if not self.proxy.clear():
            raise LostError("a delayed request did not reach the node", where="gate's proxy")


def _event(log: dict[str, Any]) -> tuple[int, int]:
    """Amounts paid in and out."""
    data = str(log["data"])[2:]
    return int(data[:64], 16), int(data[64:128], 16)
