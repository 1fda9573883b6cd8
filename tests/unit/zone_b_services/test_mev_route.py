"""The MEV router's decision: laws, and the questions it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from zone_b.mev_route import (
    Mempool,
    Reason,
    RouteRules,
    Trade,
    WrongTradeError,
    decide,
    read_trade,
)
from zone_b.mev_router import Router, read_rules
from zone_b.settings import SettingsError

WEI = 10**18
RULES = RouteRules()
QUESTION = {"amount_in": "5", "capital": "90", "max_slippage_bps": 3, "gas_price_limit": "1"}

wei = st.integers(min_value=0, max_value=(1 << 256) - 1)
small = st.integers(min_value=0, max_value=10 * WEI)
trades = st.builds(
    Trade,
    amount_wei=st.one_of(small, wei),
    capital_wei=st.one_of(small, wei),
    slippage_max_bps=st.integers(min_value=0, max_value=10_000),
    gas_price_wei=st.integers(min_value=0, max_value=10**13),
)


@given(trades, st.integers(min_value=0, max_value=10 * WEI), st.integers(min_value=0, max_value=99))
def test_more_at_stake_never_goes_public(trade: Trade, more: int, slip: int) -> None:
    """Size and tolerance only ever push towards the private way."""
    larger = replace(
        trade,
        amount_wei=trade.amount_wei + more,
        slippage_max_bps=trade.slippage_max_bps + slip,
    )
    if decide(trade, RULES).mempool is Mempool.PRIVATE:
        assert decide(larger, RULES).mempool is Mempool.PRIVATE


@given(trades)
def test_the_way_follows_from_the_reason(trade: Trade) -> None:
    """Public means: tolerance and size within limits, and an attack that costs what it takes."""
    made = decide(trade, RULES)
    assert (made.mempool is Mempool.PUBLIC) == (made.reason is Reason.UNATTRACTIVE)
    if made.mempool is Mempool.PUBLIC:
        assert made.takeable_wei <= made.attack_cost_wei
        assert trade.slippage_max_bps <= RULES.slippage_public_max_bps


@pytest.mark.parametrize(
    ("amount", "slippage", "reason"),
    [
        (WEI, 50, Reason.UNATTRACTIVE),
        (WEI, 101, Reason.SLIPPAGE),
        (16 * WEI, 0, Reason.SIZE),
        (15 * WEI, 100, Reason.ATTACKABLE),
        (0, 0, Reason.UNATTRACTIVE),
    ],
)
def test_examples(amount: int, slippage: int, reason: Reason) -> None:
    """Capital of 100 ether, gas at 100 gwei: an attack costs 0.02 ether."""
    trade = Trade(amount, 100 * WEI, slippage, 100 * 10**9)
    assert decide(trade, RULES).reason is reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount_in": 5}, "amount_in must be a decimal string"),
        ({"amount_in": "-5"}, "amount_in must be a decimal string"),
        ({"amount_in": "\u0665"}, "amount_in must be a decimal string"),
        ({"capital": "9" * 78}, "capital does not fit"),
        ({"capital": "9" * 5000}, "capital does not fit"),
        ({"max_slippage_bps": 10_001}, "max_slippage_bps"),
        ({"max_slippage_bps": True}, "max_slippage_bps"),
        ({"max_slippage_bps": None}, "max_slippage_bps"),
    ],
)
def test_wrong_questions(change: dict[str, Any], message: str) -> None:
    """The message names the field."""
    with pytest.raises(WrongTradeError, match=message):
        read_trade(json.dumps({**QUESTION, **change}).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_no_question_at_all(body: bytes) -> None:
    """Anything that is no JSON object is refused."""
    with pytest.raises(WrongTradeError, match="not "):
        read_trade(body)


def test_router_answers_and_counts() -> None:
    """A decision as JSON with amounts as text; a wrong question is the caller's fault."""
    registry = CollectorRegistry()
    router = Router(RULES, registry)
    answer = router.route(json.dumps(QUESTION).encode())
    assert answer.code == 200
    assert json.loads(answer.body) == {
        "mempool": "public",
        "reason": "not_worth_attacking",
        "takeable": "0",
        "attack_cost": "200000",
    }
    assert router.route(b"?").code == 400
    labels = {"mempool": "public", "reason": "not_worth_attacking"}
    assert registry.get_sample_value("defi_mev_routes_total", labels) == 1
    assert registry.get_sample_value("defi_mev_refused_total") == 1


def test_rules_from_the_environment() -> None:
    """Defaults, one changed, one wrong."""
    assert read_rules({}) == RULES
    assert read_rules({"DEFI_MEV_ATTACK_GAS": "5"}).attack_gas == 5
    with pytest.raises(SettingsError, match="DEFI_MEV_SIZE_PUBLIC_MAX_BPS"):
        read_rules({"DEFI_MEV_SIZE_PUBLIC_MAX_BPS": "10001"})
