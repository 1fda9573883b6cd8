"""The expected result of a swap, computed independently of the node.

Constant product x * y = k with a fee on the amount paid in, in exact fractions, rounded down once;
the contract computes in integers and divides last.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from harness.evidence.gate_log import FuzzCase, PoolReserves

# 20,000 of a token with 18 decimals against 60 million of one with 6: the reference pool.
BASELINE_RESERVES = PoolReserves(paid_in=20_000 * 10**18, taken_out=60_000_000 * 10**6)
FEE = Fraction(3_000, 1_000_000)
_RESERVE_MAX = 2**128 - 1
_PPM = 1_000_000
_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Swap:
    """Result of a swap.

    Attributes:
        amount_out: received by the trader; 0 if refused.
        after: the pool afterwards.
        refused: reason of the contract; empty if it accepts.
    """

    amount_out: int
    after: PoolReserves
    refused: str = ""


def swap(reserves: PoolReserves, amount_in: int, least_out: int = 0) -> Swap:
    """Exchange an amount along the curve.

    Args:
        reserves: of the pool, both above 0.
        amount_in: above 0.
        least_out: minimum output that the trader accepts.
    """
    amount_after_fee = amount_in * (1 - FEE)
    amount_out = floor(
        reserves.taken_out * amount_after_fee / (reserves.paid_in + amount_after_fee)
    )
    if amount_out == 0:
        return Swap(0, reserves, "empty")
    if amount_out < least_out:
        return Swap(0, reserves, "too little")
    if reserves.paid_in + amount_in > _RESERVE_MAX:
        return Swap(0, reserves, "too much")
    after = PoolReserves(
        paid_in=reserves.paid_in + amount_in, taken_out=reserves.taken_out - amount_out
    )
    return Swap(amount_out, after)


def product(reserves: PoolReserves) -> int:
    """The invariant k, which a swap never lowers."""
    return reserves.paid_in * reserves.taken_out


def initial_reserves(draw: FuzzCase) -> PoolReserves:
    """Reserves at the first decision."""
    return PoolReserves(
        paid_in=BASELINE_RESERVES.paid_in * draw.liquidity_ppm // _PPM,
        taken_out=BASELINE_RESERVES.taken_out * draw.liquidity_ppm // _PPM,
    )


def moved_reserves(draw: FuzzCase) -> PoolReserves:
    """Reserves when the swap is sent: the price may have moved."""
    before = initial_reserves(draw)
    return PoolReserves(paid_in=before.paid_in, taken_out=before.taken_out * draw.price_ppm // _PPM)


def min_amount_out(draw: FuzzCase) -> int:
    """Minimum output that the trader accepts, in units of the output token."""
    quote = swap(moved_reserves(draw), draw.amount_in).amount_out
    match draw.least:
        case "slippage":
            expected = swap(initial_reserves(draw), draw.amount_in).amount_out
            return expected * (_BPS - draw.slippage_max_bps) // _BPS
        case "exact":
            return quote
        case "one_more":
            return quote + 1
    return 0


def expected_swap(draw: FuzzCase) -> Swap:
    """Result of the round's swap when it is mined."""
    return swap(moved_reserves(draw), draw.amount_in, min_amount_out(draw))
