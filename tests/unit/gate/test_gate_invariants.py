"""What breaks a round: every way in which it can go wrong is named, and a right one is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.gate.fuzz_case import draw_case
from harness.analysis.gate.invariants import SIMULATED, broken_invariants, dropped
from harness.analysis.gate.pool_math import BASELINE_RESERVES, expected_swap, moved_reserves
from harness.evidence.gate_log import FuzzCase, PoolReserves, RoundObservation
from harness.scenario.gate import KINDS, Gate, Weights
from tests.unit.gate.outcomes import ESTIMATE, LIMIT_NS, held

GATE = Gate()
ROUNDS = st.integers(0, 10_000).map(lambda number: draw_case(GATE, 7, number))
PLAIN = FuzzCase(
    kinds=("gas",),
    amount_in=10**18,
    capital=10 * 10**18,
    gas_price=10**9,
    slippage_max_bps=100,
)


def names(draw: FuzzCase, seen: RoundObservation) -> set[str]:
    """Invariants that a round broke."""
    return {name for name, _ in broken_invariants(draw, seen, ESTIMATE, LIMIT_NS)}


def moved_by(stocks: PoolReserves, paid_in: int, paid_out: int) -> PoolReserves:
    """A little more or less of each."""
    return PoolReserves(paid_in=stocks.paid_in + paid_in, taken_out=stocks.taken_out + paid_out)


@given(ROUNDS)
def test_what_is_as_it_must_be_breaks_nothing(draw: FuzzCase) -> None:
    """Of every kind, and of several at once."""
    assert broken_invariants(draw, held(draw), ESTIMATE, LIMIT_NS) == ()


@given(ROUNDS, st.integers(1, 10**6))
def test_a_pool_that_leaks_is_seen(draw: FuzzCase, leak: int) -> None:
    """Units that leave it without an event, however few."""
    seen = held(draw)
    leaking = moved_by(seen.mined, 0, -leak)
    after = moved_by(seen.after, 0, 0 if dropped(draw) else -leak)
    found = names(draw, seen.model_copy(update={"mined": leaking, "after": after}))
    assert {"conserved", "outcome"} <= found
    if leak > expected_swap(draw).amount_out:
        assert "product" in found or not expected_swap(draw).refused


def test_a_pool_that_gives_too_much_lets_the_product_fall() -> None:
    """Even when its events are correct."""
    seen = held(PLAIN)
    less = moved_by(seen.mined, 0, -20_000_000)
    found = names(
        PLAIN,
        seen.model_copy(
            update={"mined": less, "after": less, "event_out": seen.event_out + 20_000_000}
        ),
    )
    assert found == {"outcome", "product", "reorg"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"before": BASELINE_RESERVES.model_copy(update={"paid_in": 5})}, "state"),
        ({"call_out": 5}, "outcome"),
        ({"call_gas": ESTIMATE + 1}, "outcome"),
        ({"call_out": None, "call_gas": None}, "outcome"),
        ({"event_in": 0}, "conserved"),
        ({"balance_lost": 1}, "paid"),
        ({"succeeded": 2}, "once"),
        ({"succeeded": 0, "reverted": 1}, "once"),
        ({"early": 1}, "once"),
        ({"nonces_mined": 2}, "once"),
        ({"nonces": 0}, "reorg"),
        ({"forked": 1}, "reorg"),
        ({"after": BASELINE_RESERVES}, "reorg"),
        ({"asked": ()}, "decision"),
    ],
)
def test_each_thing_that_is_wrong_is_named(change: dict[str, Any], name: str) -> None:
    """By the invariant that it breaks."""
    assert names(PLAIN, held(PLAIN).model_copy(update=change)) == {name}


def decision(draw: FuzzCase, **change: Any) -> set[str]:
    """What another decision would break."""
    seen = held(draw)
    first = seen.asked[0].model_copy(update=change)
    return names(draw, seen.model_copy(update={"asked": (first, *seen.asked[1:])}))


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({"capital": 10**18}, "position"),
        ({"burn": 5_000}, "gas"),
        ({"slippage_max_bps": 0}, "slippage"),
        ({"price_times": 1_000, "gas_price": 50 * 10**9}, "drawdown"),
        ({"liquidity_ppm": 1_000}, "slippage"),
    ],
)
def test_a_limit_passed_over_is_named(change: dict[str, Any], limit: str) -> None:
    """A trade that must be refused and was let through is the worst that can happen."""
    draw = PLAIN.model_copy(update=change)
    assert held(draw).asked[0].detail == limit
    assert limit in decision(draw, status=SIMULATED)


def test_refusals_have_a_reason() -> None:
    """Nothing is refused for what is not so; a node that was too slow is a reason."""
    assert decision(PLAIN, status="INVARIANT_BROKEN", detail="gas") == {"decision"}
    assert decision(PLAIN, status="INVARIANT_BROKEN", detail="reverted") == {"decision"}
    assert decision(PLAIN, status="SIMULATION_UNAVAILABLE") == {"decision"}
    timeout = "SIMULATION_TIMEOUT"
    assert decision(PLAIN, status=timeout, took_ns=LIMIT_NS - 1) == {"decision"}
    assert decision(PLAIN, status=timeout, took_ns=LIMIT_NS) == set()
    assert decision(PLAIN, gas_fee=1) == {"decision"}


def test_without_an_answer_nothing_is_let_through() -> None:
    """Nor is it refused before the node had its time."""
    draw = PLAIN.model_copy(update={"kinds": ("rpc_timeout",), "rpc": "stall"})
    assert decision(draw, status=SIMULATED) == {"timeout"}
    assert decision(draw, took_ns=LIMIT_NS - 1) == {"timeout"}


def test_a_second_transaction_with_a_used_nonce_must_be_refused() -> None:
    """Whichever way it was fought over."""
    draw = PLAIN.model_copy(update={"kinds": ("nonce",), "nonce": "low"})
    assert names(draw, held(draw).model_copy(update={"refused": ()})) == {"once"}


def test_rounds_follow_from_the_seed() -> None:
    """The same again; another seed, other rounds; every kind and every bound occurs."""
    rounds = [draw_case(GATE, 3, number) for number in range(1_000)]
    assert rounds == [draw_case(GATE, 3, number) for number in range(1_000)]
    assert rounds != [draw_case(GATE, 4, number) for number in range(1_000)]
    assert {kind for one in rounds for kind in one.kinds} == set(KINDS)
    assert {one.reorg_depth for one in rounds} == {0, 1, 2, 3}
    assert max(one.price_times for one in rounds) == 1_000
    assert min(one.liquidity_ppm for one in rounds) == 1_000
    assert {100_000, 1_900_000} <= {one.price_ppm for one in rounds}
    assert {one.nonce for one in rounds} == {"", "again", "underpriced", "replaced", "gap", "low"}
    assert {one.rpc for one in rounds} == {"", "stall", "lose"}
    asked = [held(one).asked[-1].status for one in rounds]
    assert 200 < asked.count(SIMULATED) < 800


def test_a_kind_of_weight_0_is_never_drawn() -> None:
    """Nor does it join another one."""
    gate = Gate(weights=Weights(reorg=0, gas=0))
    drawn = {kind for number in range(300) for kind in draw_case(gate, 1, number).kinds}
    assert drawn == {"liquidity", "price", "rpc_timeout", "nonce"}


@given(ROUNDS)
def test_a_drawn_pool_can_be_written(draw: FuzzCase) -> None:
    """Its stocks are above 0 and fit their half of the slot."""
    for stock in (moved_reserves(draw).paid_in, moved_reserves(draw).taken_out):
        assert 0 < stock < 2**128
