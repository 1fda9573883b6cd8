"""Lite simulation: the contract runs on a real EVM in memory, and its effects are reverted."""

from __future__ import annotations

import pyrevm

from zone_b.amm import (
    POOL_ADDRESS,
    RESERVE_IN,
    RESERVE_OUT,
    RESERVES_SLOT,
    TRADER_ADDRESS,
    SimulationRevertedError,
    SwapOutcome,
    artifact,
    decode_outcome,
    reserves_word,
)

_GAS_LIMIT = 1_000_000
# A trade that any pool can serve; what it costs is what others are held against.
_PROBE_WEI = 10**18


class LiteSimulator:
    """An EVM with the pool's state of one block; a new block brings a new state.

    Attributes:
        hits: simulations that found the state of their block loaded.
        misses: simulations that had to load it.
    """

    def __init__(self, reserve_in: int = RESERVE_IN, reserve_out: int = RESERVE_OUT) -> None:
        self.hits = 0
        self.misses = 0
        self._reserves = (reserve_in, reserve_out)
        self._block = -1
        self._evm = self._load()

    def simulate(self, amount_in_wei: int, block: int) -> SwapOutcome:
        """What a swap at the head of the chain would do.

        Args:
            amount_in_wei: amount to pay in.
            block: height of the head.

        Raises:
            SimulationRevertedError: the contract refuses the trade.
        """
        if block == self._block:
            self.hits += 1
        else:
            self.misses += 1
            self._block = block
            self._evm = self._load()
        return self._rehearse(amount_in_wei)

    def gas_estimate(self) -> int:
        """Gas of an ordinary swap."""
        return self._rehearse(_PROBE_WEI).gas

    def _rehearse(self, amount_in_wei: int) -> SwapOutcome:
        evm = self._evm
        before = evm.snapshot()
        try:
            answer = evm.message_call(
                TRADER_ADDRESS,
                POOL_ADDRESS,
                calldata=artifact().calldata(amount_in_wei),
                gas=_GAS_LIMIT,
            )
        except RuntimeError as error:  # what pyrevm raises for a revert and for a halt
            raise SimulationRevertedError(str(error)) from error
        finally:
            evm.revert(before)
        return decode_outcome(bytes(answer))

    def _load(self) -> pyrevm.EVM:
        evm = pyrevm.EVM()
        evm.insert_account_info(POOL_ADDRESS, pyrevm.AccountInfo(code=artifact().code))
        # One slot only: pyrevm takes a second one for a change of this transaction, and its gas.
        evm.insert_account_storage(POOL_ADDRESS, RESERVES_SLOT, reserves_word(*self._reserves))
        return evm
