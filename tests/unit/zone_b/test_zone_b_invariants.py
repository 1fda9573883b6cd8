from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zone_b.zone_b_values import ETHER
from zone_b.amm import FEE_PPM, RESERVE_IN, RESERVE_OUT, SwapOutcome
from zone_b.invariants import (
    Fees,
    broken_invariant,
    exceeds_drawdown,
    exceeds_slippage,
    fees_of,
)

GOOD = SwapOutcome(2_990_850_906, RESERVE_IN, RESERVE_OUT, 27_000)
AMOUNTS = st.integers(1, 10**30)


def judge(
    *,
    amount_in_wei: int = ETHER,
    capital_wei: int = 10 * ETHER,
    slippage_max_bps: int = 100,
    fees: Fees | None = None,
    outcome: SwapOutcome = GOOD,
    gas_estimate: int = 27_000,
) -> str | None:
    """The invariants on a good trade in which one thing is changed."""
    return broken_invariant(
        amount_in_wei=amount_in_wei,
        capital_wei=capital_wei,
        slippage_max_bps=slippage_max_bps,
        fees=fees or Fees(1, 1),
        outcome=outcome,
        gas_estimate=gas_estimate,
    )


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (judge(), None),
        (judge(slippage_max_bps=0), "slippage"),
        (judge(outcome=SwapOutcome(2_000_000_000, RESERVE_IN, RESERVE_OUT, 27_000)), "slippage"),
        (judge(outcome=SwapOutcome(2_990_850_906, RESERVE_IN, RESERVE_OUT, 81_001)), "gas"),
        (judge(outcome=SwapOutcome(2_990_850_906, RESERVE_IN, RESERVE_OUT, 81_000)), None),
        (judge(capital_wei=2 * ETHER), None),
        (judge(capital_wei=2 * ETHER - 1), "position"),
        (judge(fees=Fees(ETHER // 10, 1)), "drawdown"),
    ],
)
def test_first_broken_invariant_is_reported(broken: str | None, expected: str | None) -> None:
    """Each invariant refuses what it is there for, from its limit on, and nothing else."""
    assert broken == expected


@given(AMOUNTS, st.integers(0, 10_000), AMOUNTS, AMOUNTS, st.integers(0, 10**30))
def test_slippage_is_the_fraction_it_claims(
    amount_in: int, bps: int, reserve_in: int, reserve_out: int, amount_out: int
) -> None:
    """Multiplied out or divided, the comparison with the declared slippage is the same."""
    fair = Fraction(amount_in * (10**6 - FEE_PPM) * reserve_out, 10**6 * reserve_in)
    outcome = SwapOutcome(amount_out, reserve_in, reserve_out, 0)
    assert exceeds_slippage(amount_in, bps, outcome) == (
        1 - amount_out / fair > Fraction(bps, 10_000)
    )


@given(AMOUNTS, AMOUNTS, st.integers(0, 10**30), st.integers(0, 10**30), AMOUNTS, AMOUNTS)
def test_drawdown_is_the_fraction_it_claims(
    amount_in: int, capital: int, amount_out: int, fee: int, reserve_in: int, reserve_out: int
) -> None:
    """Multiplied out or divided, the comparison of the loss with 1 % of the capital is the same."""
    outcome = SwapOutcome(amount_out, reserve_in, reserve_out, 0)
    loss = amount_in + 2 * fee - Fraction(amount_out * reserve_in, reserve_out)
    assert exceeds_drawdown(amount_in, capital, Fees(fee, fee), outcome) == (
        loss / capital > Fraction(1, 100)
    )


@given(AMOUNTS, st.integers(1, 10**15))
def test_fees_are_never_empty(amount_in: int, gas_price: int) -> None:
    """The ledger refuses rows without an amount, so no fee rounds down to nothing."""
    fees = fees_of(amount_in, gas_price, GOOD)
    assert fees.gas_wei == GOOD.gas * gas_price
    assert fees.protocol_wei == max(1, amount_in * 5 // 10_000)
