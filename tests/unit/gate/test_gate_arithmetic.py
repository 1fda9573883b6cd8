"""Laws of the gate's own arithmetic, and its agreement with the contract on a real EVM."""

from __future__ import annotations

from fractions import Fraction

import pyrevm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.gate.pool_code import CONTRACT, POOL, PoolCode, gas_burnt, shell
from harness.analysis.gate.pool_math import BASELINE_RESERVES, Swap, product, swap
from harness.analysis.gate.risk_limits import LIMITS, exceeded_limits, gas_fee_of, protocol_fee_of
from harness.evidence.gate_log import FuzzCase, PoolReserves
from harness.stack.settings import ROOT
from zone_b.amm import SwapOutcome, decode_outcome
from zone_b.invariants import broken_invariant, fees_of

TRADER = "0x" + "b2" * 20
CODE = PoolCode.read(ROOT)
STOCK = st.integers(10**6, 10**28)
POOLS = st.builds(PoolReserves, paid_in=STOCK, taken_out=STOCK)
AMOUNT = st.integers(1, 10**27)
ESTIMATE = 27_010


def on_evm(stocks: PoolReserves, data: str, burn: int = 0) -> tuple[bytes, int]:
    """What the contract answers, and the pool's slot afterwards."""
    evm = pyrevm.EVM()
    plain = bytes.fromhex(CODE.code)
    evm.insert_account_info(CONTRACT, pyrevm.AccountInfo(code=plain))
    code = bytes.fromhex(shell(burn)) if burn else plain
    evm.insert_account_info(POOL, pyrevm.AccountInfo(code=code))
    evm.insert_account_storage(POOL, 0, stocks.taken_out << 128 | stocks.paid_in)
    answer = evm.message_call(TRADER, POOL, calldata=bytes.fromhex(data[2:]), gas=10**6)
    return bytes(answer), evm.storage(POOL, 0)


@given(POOLS, AMOUNT)
@settings(max_examples=150, deadline=None)
def test_a_swap_is_what_the_contract_does(stocks: PoolReserves, amount_in: int) -> None:
    """Amount and stocks, to the last unit; what it refuses is refused."""
    wanted = swap(stocks, amount_in)
    if wanted.refused:
        with pytest.raises(RuntimeError, match="Revert"):
            on_evm(stocks, CODE.swap_data(amount_in, 0))
        return
    answer, slot = on_evm(stocks, CODE.swap_data(amount_in, wanted.amount_out))
    assert int.from_bytes(answer, "big") == wanted.amount_out
    assert (slot % 2**128, slot >> 128) == (wanted.after.paid_in, wanted.after.taken_out)
    with pytest.raises(RuntimeError, match="Revert"):
        on_evm(stocks, CODE.swap_data(amount_in, wanted.amount_out + 1))


@given(POOLS, AMOUNT)
def test_a_swap_never_reduces_the_product(stocks: PoolReserves, amount_in: int) -> None:
    """The product does not fall, balances are conserved, and the pool is never emptied."""
    done = swap(stocks, amount_in)
    assert product(done.after) >= product(stocks)
    assert done.after.taken_out > 0
    if not done.refused:
        assert done.after.paid_in - stocks.paid_in == amount_in
        assert stocks.taken_out - done.after.taken_out == done.amount_out


@given(POOLS, AMOUNT, st.integers(1, 99))
def test_two_small_trades_yield_no_more_than_one(
    stocks: PoolReserves, amount: int, part: int
) -> None:
    """But for the unit that rounding leaves in the pool for the second of them."""
    parts = (amount * part // 100, amount - amount * part // 100)
    first = swap(stocks, parts[0]) if parts[0] else Swap(0, stocks)
    second = swap(first.after, parts[1])
    whole = swap(stocks, amount)
    if "too much" not in (first.refused, second.refused, whole.refused):
        assert first.amount_out + second.amount_out <= whole.amount_out + 1


@given(st.integers(1, 30_000))
@settings(max_examples=20, deadline=None)
def test_the_shell_burns_the_given_gas(burn: int) -> None:
    """The same outcome as the contract's, and the gas that was really used."""
    data = CODE.rehearse_data(10**18)
    plain, burning = (
        decode_outcome(on_evm(BASELINE_RESERVES, data, turns)[0]) for turns in (0, burn)
    )
    assert plain.gas == ESTIMATE
    assert burning.gas == plain.gas + gas_burnt(burn)
    assert burning.amount_out == plain.amount_out == swap(BASELINE_RESERVES, 10**18).amount_out


def test_the_shell_reverts_with_the_contract() -> None:
    """It adds gas, and no success."""
    with pytest.raises(RuntimeError, match="Revert"):
        on_evm(BASELINE_RESERVES, CODE.swap_data(10**18, 10**30), 10)


ORDERS = st.builds(
    FuzzCase,
    kinds=st.just(("gas",)),
    amount_in=st.integers(10**12, 10**20),
    capital=st.integers(10**12, 10**22),
    gas_price=st.integers(1, 10**12),
    slippage_max_bps=st.integers(0, 500),
    price_times=st.integers(1, 1_000),
)


@given(ORDERS, st.integers(1_000, 1_000_000), st.integers(20_000, 10**6))
def test_limits_are_the_engines(draw: FuzzCase, liquidity_ppm: int, gas: int) -> None:
    """In fractions here, in whole numbers there: the first limit of theirs is one of ours."""
    stocks = PoolReserves(
        paid_in=BASELINE_RESERVES.paid_in * liquidity_ppm // 10**6,
        taken_out=BASELINE_RESERVES.taken_out * liquidity_ppm // 10**6,
    )
    amount_out = swap(stocks, draw.amount_in).amount_out
    outcome = SwapOutcome(amount_out, stocks.paid_in, stocks.taken_out, gas)
    fees = fees_of(draw.amount_in, draw.gas_price * draw.price_times, outcome)
    assert (gas_fee_of(draw, gas), protocol_fee_of(draw)) == (fees.gas_wei, fees.protocol_wei)
    theirs = broken_invariant(
        amount_in_wei=draw.amount_in,
        capital_wei=draw.capital,
        slippage_max_bps=draw.slippage_max_bps,
        fees=fees,
        outcome=outcome,
        gas_estimate=ESTIMATE,
    )
    ours = exceeded_limits(draw, stocks, amount_out, gas, ESTIMATE)
    assert theirs == (ours[0] if ours else None)


@given(ORDERS, st.integers(2, 1_000))
def test_a_dearer_gas_never_helps(draw: FuzzCase, times: int) -> None:
    """What is passed over at a price is passed over at a higher one."""
    amount_out = swap(BASELINE_RESERVES, draw.amount_in).amount_out
    dearer = draw.model_copy(update={"gas_price": draw.gas_price * times})
    found = [
        set(exceeded_limits(one, BASELINE_RESERVES, amount_out, ESTIMATE, ESTIMATE))
        for one in (draw, dearer)
    ]
    assert found[0] <= found[1] <= set(LIMITS)


def test_limits_at_their_edges() -> None:
    """At the limit is within it."""
    draw = FuzzCase(
        kinds=("gas",), amount_in=10**18, capital=2 * 10**18, gas_price=1, slippage_max_bps=10_000
    )
    assert exceeded_limits(draw, BASELINE_RESERVES, 2_990_000_000, 3 * ESTIMATE, ESTIMATE) == ()
    over = draw.model_copy(update={"capital": 2 * 10**18 - 1})
    assert "position" in exceeded_limits(over, BASELINE_RESERVES, 2_990_000_000, ESTIMATE, ESTIMATE)
    assert "gas" in exceeded_limits(
        draw, BASELINE_RESERVES, 2_990_000_000, 3 * ESTIMATE + 1, ESTIMATE
    )
    fair = (
        draw.amount_in
        * Fraction(997, 1_000)
        * BASELINE_RESERVES.taken_out
        / BASELINE_RESERVES.paid_in
    )
    tight = draw.model_copy(update={"slippage_max_bps": 1})
    least = -(-fair * 9_999 // 10_000)
    assert "slippage" not in exceeded_limits(
        tight, BASELINE_RESERVES, int(least), ESTIMATE, ESTIMATE
    )
    assert "slippage" in exceeded_limits(
        tight, BASELINE_RESERVES, int(least) - 1, ESTIMATE, ESTIMATE
    )
