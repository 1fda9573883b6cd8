"""The reference pool: its compiled contract, its state at a block, and what it is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ARTIFACT = Path(__file__).parent / "contracts" / "ReferencePool.json"

POOL_ADDRESS = "0x" + "a1" * 20
TRADER_ADDRESS = "0x" + "b2" * 20

# A pool in which the largest trade of a reference load (2.5 WETH) moves the price by 0.0125 %:
# 20,000 WETH against 60 million USDC (18 and 6 decimals).
RESERVE_IN = 20_000 * 10**18
RESERVE_OUT = 60_000_000 * 10**6

RESERVES_SLOT = 0
FEE_PPM = 3_000
# Cost of a transaction before it runs its first instruction: Ethereum yellow paper, appendix G.
GAS_INTRINSIC = 21_000
# Gas of an ordinary swap, which other trades are held against; a test compares it with an EVM.
GAS_ESTIMATE = 27_010
_WORD = 32
_ANSWER_WORDS = 4


class SimulationRevertedError(Exception):
    """The contract refused the trade."""


@dataclass(frozen=True, slots=True)
class SwapOutcome:
    """What a trade would do.

    Attributes:
        amount_out: units of the token that leaves the pool.
        reserve_in: pool's stock of the token paid in, before the trade.
        reserve_out: pool's stock of that token, before the trade.
        gas: gas of the whole transaction.
    """

    amount_out: int
    reserve_in: int
    reserve_out: int
    gas: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """The compiled contract.

    Attributes:
        code: what lies at the pool's address.
        rehearse: selector of `rehearse(uint256)`.
    """

    code: bytes
    rehearse: bytes

    def calldata(self, amount_in: int) -> bytes:
        """Call that rehearses a swap of `amount_in`."""
        return self.rehearse + amount_in.to_bytes(_WORD, "big")


def reserves_word(reserve_in: int, reserve_out: int) -> int:
    """What slot `RESERVES_SLOT` of the contract holds: two numbers of 128 bits, the first below."""
    return reserve_out << 128 | reserve_in


@cache
def artifact() -> Artifact:
    """The compiled contract, as stored next to its source."""
    document = json.loads(ARTIFACT.read_text(encoding="utf-8"))
    return Artifact(
        code=bytes.fromhex(document["deployed_bytecode"]),
        rehearse=bytes.fromhex(document["selectors"]["rehearse(uint256)"]),
    )


def decode_outcome(answer: bytes) -> SwapOutcome:
    """What `rehearse` returned.

    Raises:
        SimulationRevertedError: the answer has not the length of one.
    """
    if len(answer) != _ANSWER_WORDS * _WORD:
        raise SimulationRevertedError(f"an answer of {len(answer)} bytes")
    values = [int.from_bytes(answer[i : i + _WORD], "big") for i in range(0, len(answer), _WORD)]
    amount_out, reserve_in, reserve_out, gas_spent = values
    return SwapOutcome(amount_out, reserve_in, reserve_out, GAS_INTRINSIC + gas_spent)
