"""Plays one round on the node, and tells what came out; judges nothing."""

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
# So deep may a reorganisation reach below the block of the swap, and the pool must be older.
_BLOCKS_BELOW = 4
_HEADS_PER_ROUND = 10
# A node that has made some hundreds of blocks puts states on disk, and one that it takes back from
# there after a reorganisation has lost its code (seen with Anvil 1.7.1: calls give nothing).
_FRESH_EVERY = 25
# The node asks 10 % more of a transaction that takes another one's place.
_REPLACED_TIMES, _REPLACED_PARTS = 13, 10


@dataclass
class RoundPlayer:
    """Everything that a round is played with.

    Attributes:
        chain: the node, asked directly.
        hasty: the node over the wire, with little patience.
        wire: between the node and whoever is to be disturbed.
        desk: asked over the wire.
    """

    chain: Chain
    short_timeout_rpc: Rpc
    proxy: FaultProxy
    decision_service: DecisionService

    def play(self, draw: FuzzCase, number: int) -> RoundObservation:
        """One round from the same state as every other.

        Raises:
            LostError: the node does not answer, though nobody holds it up.
            RefusedError: it answers with an error where none is due.
            StackError: the desk gives no decision.
        """
        chain, head = self.chain, number * _HEADS_PER_ROUND
        asked: list[DecisionRecord] = []

        def ask(when: ChainStage, later: int = 0) -> None:
            asked.append(self.decision_service.ask(draw, when, head + later))

        if number % _FRESH_EVERY == 0:
            chain.set_up()
        chain.reset()
        chain.burn(draw.burn)
        chain.set_pool(initial_reserves(draw))
        chain.set_base_fee(_BASE_FEE_WEI * draw.price_times)
        chain.mine(_BLOCKS_BELOW)
        before = chain.pool()
        if draw.rpc:
            self.proxy.set_fault(draw.rpc)
            ask("stalled")
            self._clear()
        ask("before")
        if "price" in draw.kinds:
            chain.set_pool(moved_reserves(draw))
            chain.mine(_BLOCKS_BELOW)
            ask("moved", 1)
        moved, call = chain.pool(), chain.rehearse(draw.amount_in)
        nonce, balance = chain.nonce(), chain.balance()
        early, refused = self._send(draw, nonce)
        nonces_mined = chain.nonce() - nonce
        receipts = chain.receipts(nonces_mined)
        swaps = [receipt for receipt in receipts if receipt["to"] == POOL]
        mined, balance_mined = chain.pool(), chain.balance()
        forked = 0
        if draw.reorg_depth:
            chain.mine(draw.buried)
            ask("mined", 2)
            forked = chain.reorganise(draw.reorg_depth)
            # The desk is not told: its chain has the same head as before.
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
            event_out=sum(taken_out for _, taken_out in events),
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

    def _send(self, draw: FuzzCase, nonce: int) -> tuple[int, tuple[str, ...]]:
        """Hand the swap in, with the conflict that was drawn, and mine it.

        Returns:
            how many transactions were mined before the nonce below theirs was used, and why
            others were not taken.
        """
        chain, price, early = self.chain, gas_price_of(draw), 0
        other = chain.swap(max(1, draw.amount_in // 2), 0, price, nonce)
        refused = []
        if draw.nonce == "replaced":
            refused.append(chain.send(other))
            price = -(-price * _REPLACED_TIMES // _REPLACED_PARTS)
        own = nonce + 1 if draw.nonce == "gap" else nonce
        swap = chain.swap(draw.amount_in, min_amount_out(draw), price, own)
        self._deliver(draw, swap)
        if draw.nonce == "again":
            refused.append(chain.send(swap))
        elif draw.nonce == "underpriced":
            refused.append(chain.send(other))
        elif draw.nonce == "gap":
            chain.mine()
            early = chain.nonce() - nonce
            refused.append(chain.send(chain.filler(price, nonce)))
        chain.mine()
        if draw.nonce == "low":
            refused.append(chain.send(other))
        return early, tuple(why for why in refused if why)

    def _deliver(self, draw: FuzzCase, swap: dict[str, str]) -> None:
        """As somebody does whose patience ends: send it again, not knowing what became of it.

        What the node says to that is no matter: that it is mined once is judged by its blocks.
        """
        if draw.rpc:
            self.proxy.set_fault(draw.rpc)
            try:
                self.chain.send(swap, over=self.short_timeout_rpc)
            except LostError:
                if draw.rpc == "stall":  # the first one arrives after the second
                    self.chain.send(swap)
            finally:
                self._clear()
        self.chain.send(swap)

    def _clear(self) -> None:
        if not self.proxy.clear():
            raise LostError("what was held up did not reach the node", where="gate's wire")


def _event(log: dict[str, Any]) -> tuple[int, int]:
    """Amounts paid in and taken out."""
    data = str(log["data"])[2:]
    return int(data[:64], 16), int(data[64:128], 16)
