"""The G3 limits in exact fractions, computed independently: which of them a trade exceeds."""

from __future__ import annotations

from fractions import Fraction

from harness.analysis.gate.pool_math import FEE
from harness.evidence.gate_log import FuzzCase, PoolReserves

POSITION_MAX = Fraction(50, 100)
GAS_MAX_TIMES = 3
DRAWDOWN_MAX = Fraction(1, 100)
PROTOCOL_FEE = Fraction(5, 10_000)
LIMITS = ("position", "gas", "slippage", "drawdown")


def gas_fee_of(draw: FuzzCase, gas: int) -> int:
    """Cost of the gas at the agent's price; at least 1 wei."""
    return max(1, gas * gas_price_of(draw))


def gas_price_of(draw: FuzzCase) -> int:
    """The agent's price of a unit of gas."""
    return draw.gas_price * draw.price_times


def protocol_fee_of(draw: FuzzCase) -> int:
    """The protocol's fee; at least 1 wei."""
    return max(1, int(draw.amount_in * PROTOCOL_FEE))


def exceeded_limits(
    draw: FuzzCase, reserves: PoolReserves, amount_out: int, gas: int, gas_estimate: int
) -> tuple[str, ...]:
    """Names of the limits that a trade exceeds.

    Args:
        draw: the order.
        reserves: of the pool before the trade.
        amount_out: output of the trade.
        gas: gas of the trade.
        gas_estimate: gas of an ordinary trade.
    """
    spot = Fraction(reserves.paid_in, reserves.taken_out)
    fair = draw.amount_in * (1 - FEE) / spot
    slippage = (fair - amount_out) / fair
    loss = draw.amount_in - amount_out * spot + gas_fee_of(draw, gas) + protocol_fee_of(draw)
    within = {
        "position": draw.amount_in <= POSITION_MAX * draw.capital,
        "gas": gas <= GAS_MAX_TIMES * gas_estimate,
        "slippage": slippage <= Fraction(draw.slippage_max_bps, 10_000),
        "drawdown": loss <= DRAWDOWN_MAX * draw.capital,
    }
    return tuple(name for name in LIMITS if not within[name])
