from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zone_b.amm import (
    FEE_PPM,
    GAS_ESTIMATE,
    RESERVE_IN,
    RESERVE_OUT,
    SimulationRevertedError,
    reserves_word,
)
from zone_b.chain_state import StateUnavailableError
from zone_b.lite import LiteSimulator

AMOUNTS = st.integers(10**12, 10**24)
RESERVES = st.integers(10**6, 10**30)


def closed_form(amount_in: int, reserve_in: int, reserve_out: int) -> int:
    """Amount out of x * y = k with a fee, in whole units, rounded down."""
    paid = amount_in * (1_000_000 - FEE_PPM)
    return paid * reserve_out // (reserve_in * 1_000_000 + paid)


@given(AMOUNTS, RESERVES, RESERVES)
def test_evm_agrees_with_the_formula(amount_in: int, reserve_in: int, reserve_out: int) -> None:
    """What the contract gives on the EVM is what the constant product demands, to the unit."""
    simulator = LiteSimulator(reserve_in, reserve_out)
    expected = closed_form(amount_in, reserve_in, reserve_out)
    if expected == 0:
        with pytest.raises(SimulationRevertedError):
            simulator.simulate(amount_in, 1)
        return
    outcome = simulator.simulate(amount_in, 1)
    assert outcome.amount_out == expected
    assert (outcome.reserve_in, outcome.reserve_out) == (reserve_in, reserve_out)


@given(st.lists(AMOUNTS, min_size=2, max_size=20))
def test_simulations_leave_nothing_behind(amounts: list[int]) -> None:
    """Every simulation of a block starts from the same reserves, whatever ran before."""
    simulator = LiteSimulator()
    for amount in amounts:
        outcome = simulator.simulate(amount, 7)
        assert outcome.amount_out == closed_form(amount, RESERVE_IN, RESERVE_OUT)
        assert outcome.reserve_in == RESERVE_IN


def test_gas_is_the_same_every_time() -> None:
    """A simulation is not cheaper because an earlier one warmed the storage."""
    simulator = LiteSimulator()
    first = simulator.simulate(10**18, 1).gas
    assert {simulator.simulate(10**18, 1).gas for _ in range(3)} == {first}
    assert first == GAS_ESTIMATE
    assert 21_000 < first < 100_000


def test_a_trade_that_overflows_is_refused() -> None:
    """The contract's own arithmetic check reaches us as a refusal, and the EVM goes on."""
    simulator = LiteSimulator()
    with pytest.raises(SimulationRevertedError):
        simulator.simulate(2**255, 1)
    assert simulator.simulate(10**18, 1).amount_out > 0


def test_state_is_loaded_once_a_block() -> None:
    """The first simulation of a block loads its state, the others find it."""
    simulator = LiteSimulator()
    for block in (1, 1, 1, 2, 2):
        simulator.simulate(10**18, block)
    assert (simulator.misses, simulator.hits) == (2, 3)


def test_state_is_fetched_once_a_block() -> None:
    """The simulation uses the reserves of the chain, which it reads only when the block changes."""
    reserves = iter([(10**21, 10**12), (10**24, 10**15)])
    simulator = LiteSimulator(fetch=lambda: reserves_word(*next(reserves)))
    assert [simulator.simulate(10**18, block).reserve_in for block in (1, 1, 2)] == [
        10**21,
        10**21,
        10**24,
    ]
    assert simulator.simulate(10**18, 2).reserve_out == 10**15


def test_a_state_that_cannot_be_fetched_is_asked_for_again() -> None:
    """A simulation without its state does not run on the one of the block before."""
    answers = iter([True, False, True])

    def fetch() -> int:
        if not next(answers):
            raise StateUnavailableError("no node")
        return reserves_word(RESERVE_IN, RESERVE_OUT)

    simulator = LiteSimulator(fetch=fetch)
    simulator.simulate(10**18, 1)
    with pytest.raises(StateUnavailableError):
        simulator.simulate(10**18, 2)
    simulator.simulate(10**18, 2)
    assert (simulator.misses, simulator.hits) == (3, 0)


def test_a_forgotten_state_is_loaded_again() -> None:
    """Dropping it makes the next simulation of the same block a miss."""
    simulator = LiteSimulator()
    simulator.simulate(10**18, 1)
    simulator.forget()
    simulator.simulate(10**18, 1)
    assert (simulator.misses, simulator.hits) == (2, 0)
