"""Where a trade is sent so that no other trade runs ahead of it: pure decisions.

Whoever sees a swap in the public mempool can trade before and after it (a sandwich). The price may
be moved against the trader by at most the slippage that he tolerates, so an attacker's gain is at
most about `amount x slippage`. Doing so costs the gas of two swaps at no less than the victim's gas
price. Public is cheaper and quicker to be included; private is for trades that pay an attacker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_BPS = 10_000
_UINT256_MAX = (1 << 256) - 1
_DIGITS_MAX = 78


class Mempool(StrEnum):
    """Who sees a trade before it is in a block."""

    PRIVATE = "private"
    PUBLIC = "public"


class Reason(StrEnum):
    """Why."""

    ATTACKABLE = "worth_attacking"
    SLIPPAGE = "slippage_above_limit"
    SIZE = "size_above_limit"
    UNATTRACTIVE = "not_worth_attacking"


@dataclass(frozen=True, slots=True)
class RouteRules:
    """When a trade goes the private way.

    Attributes:
        attack_gas: gas that a sandwich costs; the default assumes two swaps of 100,000 each.
        slippage_public_max_bps: tolerance above which every trade is private.
        size_public_max_bps: share of the strategy's capital above which every trade is private.
    """

    attack_gas: int = 200_000
    slippage_public_max_bps: int = 100
    size_public_max_bps: int = 1_500


@dataclass(frozen=True, slots=True)
class Trade:
    """What the decision needs of a trade; amounts in wei."""

    amount_wei: int
    capital_wei: int
    slippage_max_bps: int
    gas_price_wei: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The way of a trade, with the figures it was made from."""

    mempool: Mempool
    reason: Reason
    takeable_wei: int
    attack_cost_wei: int


class WrongTradeError(ValueError):
    """The question holds no trade; the message names the field."""


def decide(trade: Trade, rules: RouteRules) -> Decision:
    """Private or public.

    A larger amount or a larger tolerance never turns private into public, and a trade that
    tolerates no slippage is private only for its size.
    """
    takeable = trade.amount_wei * trade.slippage_max_bps // _BPS
    cost = rules.attack_gas * trade.gas_price_wei
    reason = Reason.UNATTRACTIVE
    if trade.slippage_max_bps > rules.slippage_public_max_bps:
        reason = Reason.SLIPPAGE
    elif trade.amount_wei * _BPS > trade.capital_wei * rules.size_public_max_bps:
        reason = Reason.SIZE
    elif takeable > cost:
        reason = Reason.ATTACKABLE
    mempool = Mempool.PUBLIC if reason is Reason.UNATTRACTIVE else Mempool.PRIVATE
    return Decision(mempool, reason, takeable, cost)


def read_trade(body: bytes) -> Trade:
    """A trade from JSON: `amount_in`, `capital`, `gas_price_limit` as decimal strings of wei.

    Raises:
        WrongTradeError: a field is missing or no number of its kind.
    """
    try:
        document = json.loads(body)
    except ValueError as error:
        raise WrongTradeError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise WrongTradeError("not a JSON object")
    slippage = document.get("max_slippage_bps")
    if type(slippage) is not int or not 0 <= slippage <= _BPS:
        raise WrongTradeError(f"max_slippage_bps must be a whole number from 0 to {_BPS}")
    return Trade(
        amount_wei=_wei(document, "amount_in"),
        capital_wei=_wei(document, "capital"),
        slippage_max_bps=slippage,
        gas_price_wei=_wei(document, "gas_price_limit"),
    )


def write_decision(decision: Decision) -> bytes:
    """A decision as JSON; amounts are decimal strings, since a JSON number may lose digits."""
    return json.dumps(
        {
            "mempool": decision.mempool,
            "reason": decision.reason,
            "takeable": str(decision.takeable_wei),
            "attack_cost": str(decision.attack_cost_wei),
        }
    ).encode()


def _wei(document: Mapping[str, Any], name: str) -> int:
    text = document.get(name)
    # isdecimal alone would let other scripts' digits through.
    if not (isinstance(text, str) and text.isascii() and text.isdecimal()):
        raise WrongTradeError(f"{name} must be a decimal string of wei")
    if len(text) > _DIGITS_MAX or int(text) > _UINT256_MAX:
        raise WrongTradeError(f"{name} does not fit a uint256")
    return int(text)
