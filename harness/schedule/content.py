"""Content of each signal: a pure function of seed, agent and index.

Every signal owns one step of a Philox counter (four 64-bit numbers), so any range of an agent's
signals can be drawn without drawing those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.address import HOT_ADDRESS
from harness.evidence.records import Mode
from harness.scenario.models import Signals

# Capital of one strategy. A trade above 15 % of it is simulated in full. The ranges below keep a
# distance from that limit, so that rounding in the engine cannot change a signal's mode.
CAPITAL_WEI = 10 * 10**18
LITE_RANGE_WEI = (CAPITAL_WEI // 1000, CAPITAL_WEI // 10)
FULL_RANGE_WEI = (CAPITAL_WEI * 16 // 100, CAPITAL_WEI * 25 // 100)

STALE_MARGIN_BLOCKS = 3

_CONTENT_DRAWS = 2
_DRAWS_PER_SIGNAL = 4


@dataclass(frozen=True, slots=True)
class Contents:
    """Content of a range of one agent's signals; lists, because they are read one by one.

    Attributes:
        modes: expected simulation mode.
        addresses: index of the signing address.
        amounts_wei: amount to trade.
        stale: whether the signal is sent with stale data on purpose.
    """

    modes: list[int]
    addresses: list[int]
    amounts_wei: list[int]
    stale: list[bool]


def contents(signals: Signals, seed: int, agent: int, first: int, count: int) -> Contents:
    """Content of the agent's signals `first` to `first + count - 1`."""
    draws = np.random.Philox(
        key=np.array([seed, agent], dtype=np.uint64),
        counter=np.array([first, 0, 0, _CONTENT_DRAWS], dtype=np.uint64),
    )
    shares = _shares(draws.random_raw(count * _DRAWS_PER_SIGNAL)).reshape(-1, _DRAWS_PER_SIGNAL)
    full = shares[:, 0] < signals.full_share
    hot = shares[:, 1] < (signals.hot_share if signals.addresses == "hot" else 0.0)
    amounts = np.where(
        full, _within(FULL_RANGE_WEI, shares[:, 2]), _within(LITE_RANGE_WEI, shares[:, 2])
    )
    return Contents(
        modes=np.where(full, int(Mode.FULL), int(Mode.LITE)).tolist(),
        addresses=np.where(hot, HOT_ADDRESS, agent).tolist(),
        amounts_wei=amounts.tolist(),
        stale=(shares[:, 3] < signals.stale_share).tolist(),
    )


def stale_block(head: int, lag_max: int) -> int | None:
    """A block so old that a signal with it is certainly stale.

    Three blocks more than the rule needs, because the engine may receive a block after the agent.

    Args:
        head: newest block that the agent knows.
        lag_max: largest lag in blocks of a signal that is not stale.

    Returns:
        None while the chain is too short; its first block is 1.
    """
    block = head - (lag_max + STALE_MARGIN_BLOCKS)
    return block if block >= 1 else None


def _shares(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Uniform over [0, 1): the upper 53 bits, the precision of a double."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _within(limits: tuple[int, int], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    low, high = limits
    return low + (shares * (high - low)).astype(np.int64)
