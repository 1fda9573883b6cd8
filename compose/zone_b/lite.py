"""Lite simulation: the contract runs on a real EVM in memory, and its effects are reverted."""

from __future__ import annotations

from collections.abc import Callable

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

try:
    import pyrevm
except ModuleNotFoundError:  # an engine that simulates everything in full needs no EVM of its own
    pyrevm = None  # type: ignore[assignment]  # a module that may be absent

_GAS_LIMIT = 1_000_000
_NO_BLOCK = -1


class LiteSimulator:
    """An EVM with the pool's state of one block; a new block brings a new state.

    Args:
        reserve_in: the pool's stock of the token paid in.
        reserve_out: its stock of the other one.
        fetch: asks for the pool's storage slot of reserves at the head, once a block; without it
            the state is always the one given.

    Attributes:
        hits: simulations that found the state of their block loaded.
        misses: simulations that had to load it.
    """

    def __init__(
        self,
        reserve_in: int = RESERVE_IN,
        reserve_out: int = RESERVE_OUT,
        fetch: Callable[[], int] | None = None,
    ) -> None:
        self.hits = 0
        self.misses = 0
        self._reserves = reserves_word(reserve_in, reserve_out)
        self._fetch = fetch
        self._block = _NO_BLOCK
        self._evm = None if pyrevm is None else self._load()

    def simulate(self, amount_in_wei: int, block: int) -> SwapOutcome:
        """What a swap at the head of the chain would do.

        Args:
            amount_in_wei: amount to pay in.
            block: height of the head.

        Raises:
            SimulationRevertedError: the contract refuses the trade.
            StateUnavailableError: the block's state cannot be fetched.
        """
        if block == self._block:
            self.hits += 1
        else:
            self.misses += 1
            # Unless it can be loaded, the next simulation tries again.
            self.forget()
            if self._fetch is not None:
                self._reserves = self._fetch()
            self._evm = self._load()
            self._block = block
        return self._rehearse(amount_in_wei)

    def forget(self) -> None:
        """Drop the state: the next simulation has to load it."""
        self._block = _NO_BLOCK

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
        evm.insert_account_storage(POOL_ADDRESS, RESERVES_SLOT, self._reserves)
        return evm
