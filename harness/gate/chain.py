"""Operations of a round on the node."""

from __future__ import annotations

import time
from typing import Any

from harness.analysis.gate.pool_code import CONTRACT, POOL, PoolCode, shell
from harness.analysis.gate.pool_math import BASELINE_RESERVES
from harness.evidence.gate_log import PoolReserves
from harness.json_rpc import LostError, RefusedError, Rpc

_SLOT = "0x" + "0" * 64
_HALF = 128
_BLOCKS_BEFORE = 8
_BALANCE_WEI = 10**30
_TX_GAS = 1_000_000
_PROBE_WEI = 10**18
_RECEIPT_MAX_S = 2.0
_RECEIPT_POLL_S = 0.005
_ANSWER_WORDS = 4
_WORD_DIGITS = 64


class Chain:
    """A private node with the pool on it; it mines blocks on request only.

    Args:
        rpc: connection to the node.
        code: of the pool.

    Attributes:
        trader: the account that swaps.
    """

    def __init__(self, rpc: Rpc, code: PoolCode) -> None:
        self._rpc = rpc
        self._code = code
        self._snapshot = ""
        self.trader = ""

    def set_up(self) -> int:
        """Begin a chain with the pool on it and take a snapshot; the gas of an ordinary swap."""
        ask = self._rpc.ask
        ask("anvil_reset")
        ask("evm_setAutomine", False)
        for address in (POOL, CONTRACT):
            ask("anvil_setCode", address, f"0x{self._code.code}")
        self.trader = str(ask("eth_accounts")[0])
        ask("anvil_setBalance", self.trader, hex(_BALANCE_WEI))
        self.set_pool(BASELINE_RESERVES)
        ask("anvil_mine", hex(_BLOCKS_BEFORE))
        found = self.rehearse(_PROBE_WEI)
        if found is None:
            raise RefusedError("an ordinary swap reverts")
        self._snapshot = str(ask("evm_snapshot"))
        return found[1]

    def reset(self) -> None:
        """Return to the state after `set_up`, without pending transactions."""
        self._rpc.ask("anvil_dropAllTransactions")
        if self._rpc.ask("evm_revert", self._snapshot) is not True:
            raise RefusedError("the node does not return to its snapshot")
        self._snapshot = str(self._rpc.ask("evm_snapshot"))

    def burn(self, turns: int) -> None:
        """Make the pool burn additional gas."""
        if turns:
            self._rpc.ask("anvil_setCode", POOL, f"0x{shell(turns)}")

    def set_pool(self, stocks: PoolReserves) -> None:
        """Write the reserves of the pool; visible once a block is mined."""
        word = stocks.taken_out << _HALF | stocks.paid_in
        self._rpc.ask("anvil_setStorageAt", POOL, _SLOT, f"0x{word:064x}")

    def set_base_fee(self, wei: int) -> None:
        """Set the base fee of the next block."""
        self._rpc.ask("anvil_setNextBlockBaseFeePerGas", hex(wei))

    def mine(self, blocks: int = 1) -> None:
        """Mine this number of blocks, the first with all pending transactions."""
        if blocks:
            self._rpc.ask("anvil_mine", hex(blocks))

    def reorganise(self, depth: int) -> int:
        """Replace the last blocks by empty ones; the number of changed hashes."""
        top = self.height()
        heights = range(top - depth + 1, top + 1)
        before = [self._hash(height) for height in heights]
        self._rpc.ask("anvil_reorg", depth, [])
        return sum(self._hash(height) != old for height, old in zip(heights, before, strict=True))

    def height(self) -> int:
        """The newest block."""
        return self._rpc.number("eth_blockNumber")

    def pool(self) -> PoolReserves:
        """The reserves of the pool."""
        # By number: a request for `latest` may race with a new head.
        word = self._rpc.number("eth_getStorageAt", POOL, "0x0", hex(self.height()))
        return PoolReserves(paid_in=word % (1 << _HALF), taken_out=word >> _HALF)

    def rehearse(self, amount_in: int) -> tuple[int, int] | None:
        """Output of a swap by `eth_call`, and the gas of its transaction; None if it reverts."""
        call = {
            "from": self.trader,
            "to": POOL,
            "gas": hex(_TX_GAS),
            "data": self._code.rehearse_data(amount_in),
        }
        try:
            answer = str(self._rpc.ask("eth_call", call, hex(self.height())))[2:]
        except RefusedError:
            return None
        if len(answer) != _ANSWER_WORDS * _WORD_DIGITS:
            raise RefusedError(f"a rehearsal answers with {len(answer) // 2} bytes")
        return int(answer[:_WORD_DIGITS], 16), 21_000 + int(answer[-_WORD_DIGITS:], 16)

    def swap(self, amount_in: int, least_out: int, price: int, nonce: int) -> dict[str, str]:
        """A transaction that swaps."""
        data = self._code.swap_data(amount_in, least_out)
        return {**self._transaction(price, nonce), "to": POOL, "data": data}

    def filler(self, price: int, nonce: int) -> dict[str, str]:
        """A transaction that only uses its nonce."""
        return {**self._transaction(price, nonce), "to": self.trader, "value": "0x0"}

    def nonce(self) -> int:
        """The trader's next nonce."""
        return self._rpc.number("eth_getTransactionCount", self.trader, hex(self.height()))

    def balance(self) -> int:
        """Balance of the trader."""
        return self._rpc.number("eth_getBalance", self.trader, hex(self.height()))

    def send(self, transaction: dict[str, str], over: Rpc | None = None) -> str:
        """Send a transaction.

        Returns:
            why it was refused; empty if it was accepted.

        Raises:
            LostError: no answer.
        """
        try:
            (over or self._rpc).ask("eth_sendTransaction", transaction)
        except RefusedError as error:
            return str(error)
        return ""

    def receipts(self, nonces: int) -> list[dict[str, Any]]:
        """Receipts of the trader's transactions since the snapshot, once this many nonces are used.

        The call that mines may return before the block can be requested.

        Raises:
            LostError: they do not arrive in time.
        """
        deadline = time.monotonic() + _RECEIPT_MAX_S
        while True:
            found = self._receipts()
            if len(found) >= nonces:
                return found
            if time.monotonic() > deadline:
                raise LostError(f"{len(found)} receipts of {nonces}", where="gate's node")
            time.sleep(_RECEIPT_POLL_S)

    def _receipts(self) -> list[dict[str, Any]]:
        found = []
        for height in range(_BLOCKS_BEFORE + 1, self.height() + 1):
            block = self._rpc.ask("eth_getBlockByNumber", hex(height), False)
            found += [
                receipt
                for name in (block or {}).get("transactions", ())
                if (receipt := self._rpc.ask("eth_getTransactionReceipt", name)) is not None
            ]
        return found

    def _transaction(self, price: int, nonce: int) -> dict[str, str]:
        return {
            "from": self.trader,
            "gas": hex(_TX_GAS),
            "gasPrice": hex(price),
            "nonce": hex(nonce),
        }

    def _hash(self, height: int) -> str:
        return str(self._rpc.ask("eth_getBlockByNumber", hex(height), False)["hash"])
