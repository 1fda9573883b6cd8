"""The G3 invariants: what a simulated trade must keep to be let through. All in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

from zone_b.amm import FEE_PPM, SwapOutcome

DRAWDOWN_MAX_PERCENT = 1
GAS_MAX_TIMES_ESTIMATE = 3
# Most of its capital that a strategy may put into one trade.
POSITION_MAX_PERCENT = 50
PROTOCOL_FEE_BPS = 5

_ONE_BPS = 10_000
_ONE_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Fees:
    """What a trade costs in addition to its price, in wei.

    Attributes:
        gas_wei: gas used at the agent's price limit.
        protocol_wei: our own share.
    """

    gas_wei: int
    protocol_wei: int


def fees_of(amount_in_wei: int, gas_price_wei: int, outcome: SwapOutcome) -> Fees:
    """Fees of a simulated trade; both at least one wei, since the ledger has no empty rows."""
    return Fees(
        gas_wei=max(1, outcome.gas * gas_price_wei),
        protocol_wei=max(1, amount_in_wei * PROTOCOL_FEE_BPS // _ONE_BPS),
    )


def exceeds_slippage(amount_in_wei: int, slippage_max_bps: int, outcome: SwapOutcome) -> bool:
    """Whether the trade yields too little against the spot price after the pool's fee.

    shortfall / fair > slippage_max / 10,000, both sides multiplied out; `fair` is the amount that
    a trade too small to move the price would yield.
    """
    fair_scaled = amount_in_wei * (_ONE_PPM - FEE_PPM) * outcome.reserve_out
    got_scaled = outcome.amount_out * _ONE_PPM * outcome.reserve_in
    return (fair_scaled - got_scaled) * _ONE_BPS > slippage_max_bps * fair_scaled


def exceeds_drawdown(
    amount_in_wei: int, capital_wei: int, fees: Fees, outcome: SwapOutcome
) -> bool:
    """Whether the trade loses more than 1 % of the strategy's capital.

    The loss is the amount paid less the amount received at the spot price, plus both fees.
    """
    received_scaled = outcome.amount_out * outcome.reserve_in
    paid_scaled = (amount_in_wei + fees.gas_wei + fees.protocol_wei) * outcome.reserve_out
    limit_scaled = DRAWDOWN_MAX_PERCENT * capital_wei * outcome.reserve_out
    return (paid_scaled - received_scaled) * 100 > limit_scaled


def broken_invariant(
    *,
    amount_in_wei: int,
    capital_wei: int,
    slippage_max_bps: int,
    fees: Fees,
    outcome: SwapOutcome,
    gas_estimate: int,
) -> str | None:
    """The first invariant that a trade breaks, or None."""
    if amount_in_wei * 100 > POSITION_MAX_PERCENT * capital_wei:
        return "position"
    if outcome.gas > GAS_MAX_TIMES_ESTIMATE * gas_estimate:
        return "gas"
    if exceeds_slippage(amount_in_wei, slippage_max_bps, outcome):
        return "slippage"
    if exceeds_drawdown(amount_in_wei, capital_wei, fees, outcome):
        return "drawdown"
    return None
