"""The pool by our own arithmetic: what a swap must give, whatever the node says.

Along x * y = k with a fee of the amount paid in, in exact fractions, rounded down once; the
contract does it in whole numbers and divides last.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from harness.evidence.gate_log import FuzzCase, PoolReserves

# 20,000 of a token with 18 decimals against 60 million of one with 6: the reference pool.
BASELINE_RESERVES = PoolReserves(paid_in=20_000 * 10**18, taken_out=60_000_000 * 10**6)
FEE = Fraction(3_000, 1_000_000)
_STOCK_MAX = 2**128 - 1
_PPM = 1_000_000
_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Swap:
    """What a swap comes to.

    Attributes:
        amount_out: what the trader gets; 0 where it is refused.
        after: the pool afterwards.
        refused: why the contract refuses it; empty if it does not.
    """

    amount_out: int
    after: PoolReserves
    refused: str = ""


def swap(stocks: PoolReserves, amount_in: int, least_out: int = 0) -> Swap:
    """Pay in, and take what the curve gives.

    Args:
        stocks: the pool, neither of them 0.
        amount_in: more than 0.
        least_out: what the trader insists on.
    """
    counted = amount_in * (1 - FEE)
    amount_out = floor(stocks.taken_out * counted / (stocks.paid_in + counted))
    if amount_out == 0:
        return Swap(0, stocks, "empty")
    if amount_out < least_out:
        return Swap(0, stocks, "too little")
    if stocks.paid_in + amount_in > _STOCK_MAX:
        return Swap(0, stocks, "too much")
    after = PoolReserves(
        paid_in=stocks.paid_in + amount_in, taken_out=stocks.taken_out - amount_out
    )
    return Swap(amount_out, after)


def product(stocks: PoolReserves) -> int:
    """k, which a swap may only raise."""
    return stocks.paid_in * stocks.taken_out


def initial_reserves(draw: FuzzCase) -> PoolReserves:
    """The pool when the first decision is asked for."""
    return PoolReserves(
        paid_in=BASELINE_RESERVES.paid_in * draw.liquidity_ppm // _PPM,
        taken_out=BASELINE_RESERVES.taken_out * draw.liquidity_ppm // _PPM,
    )


def moved_reserves(draw: FuzzCase) -> PoolReserves:
    """The pool when the swap is sent: its price may have moved."""
    before = initial_reserves(draw)
    return PoolReserves(paid_in=before.paid_in, taken_out=before.taken_out * draw.price_ppm // _PPM)


def min_amount_out(draw: FuzzCase) -> int:
    """What the trader insists on, in units of the token taken out."""
    quote = swap(moved_reserves(draw), draw.amount_in).amount_out
    match draw.least:
        case "slippage":
            hoped = swap(initial_reserves(draw), draw.amount_in).amount_out
            return hoped * (_BPS - draw.slippage_max_bps) // _BPS
        case "exact":
            return quote
        case "one_more":
            return quote + 1
    return 0


def expected_swap(draw: FuzzCase) -> Swap:
    """What the round's swap comes to when it is mined."""
    return swap(moved_reserves(draw), draw.amount_in, min_amount_out(draw))
