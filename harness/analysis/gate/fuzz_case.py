"""Draws the rounds of a gate from the seed, reproducibly."""

from __future__ import annotations

import math
import random
from typing import Any

from harness.analysis.gate.pool_code import BURN_GAS
from harness.evidence.gate_log import FuzzCase
from harness.scenario.gate import KINDS, Gate, GateKind

# Probability with which each further kind is added to a round.
_JOINS = 0.12
_AMOUNT_WEI = (10**15, 10 * 10**18)
_POSITION_PERCENT = (0.5, 70.0)
_SLIPPAGE_BPS = (1, 300)
_GAS_PRICE_WEI = (10**9, 50 * 10**9)
_GAS_TIMES_MAX = 1_000
_BURN_CHANCE = 0.4
# Up to 20 times the gas of an ordinary swap, which is a little over 27,000.
_BURN_MAX = 20 * 27_000 // BURN_GAS
_LIQUIDITY_PPM = (1_000, 1_000_000)
_PRICE_MAX_PPM = 900_000
_ONE_PPM = 1_000_000
_DEPTH_MAX = 3


def draw_case(gate: Gate, seed: int, number: int) -> FuzzCase:
    """The case of a round; a pure function of its arguments.

    Args:
        gate: gives the weights of the kinds.
        seed: of the scenario.
        number: of the round, from 0.
    """
    rng = random.Random(f"{seed}/gate/{number}")  # noqa: S311 - to be repeatable, not secret
    weights = gate.weights.by_kind()
    first = rng.choices(KINDS, tuple(weights.values()))[0]
    joined = [
        kind for kind in KINDS if rng.random() < _JOINS and kind != first and weights[kind] > 0
    ]
    amount_wei = _log_uniform(rng, *_AMOUNT_WEI)
    draws: dict[str, Any] = {
        "amount_in": amount_wei,
        "capital": math.ceil(amount_wei * 100 / rng.uniform(*_POSITION_PERCENT)),
        "gas_price": _log_uniform(rng, *_GAS_PRICE_WEI),
        "slippage_max_bps": _log_uniform(rng, *_SLIPPAGE_BPS),
        "least": rng.choice(("none", "none", "exact", "one_more")),
    }
    kinds = (first, *joined)
    for kind in kinds:
        draws |= _of_kind(kind, rng)
    return FuzzCase(kinds=kinds, **draws)


def _of_kind(kind: GateKind, rng: random.Random) -> dict[str, Any]:
    match kind:
        case "gas":
            burns = rng.random() < _BURN_CHANCE
            return {
                # One case in ten has the largest value, because errors are likely at a boundary.
                "price_times": _GAS_TIMES_MAX
                if rng.random() < 0.1
                else _log_uniform(rng, 2, _GAS_TIMES_MAX),
                "burn": _log_uniform(rng, 10, _BURN_MAX) if burns else 0,
            }
        case "liquidity":
            lowest, highest = _LIQUIDITY_PPM
            is_lowest = rng.random() < 0.1
            return {"liquidity_ppm": lowest if is_lowest else _log_uniform(rng, lowest, highest)}
        case "price":
            move_ppm = rng.choice((-1, 1)) * (
                _PRICE_MAX_PPM if rng.random() < 0.1 else rng.randint(1_000, _PRICE_MAX_PPM)
            )
            return {"price_ppm": _ONE_PPM + move_ppm, "least": rng.choice(("none", "slippage"))}
        case "rpc_timeout":
            return {"rpc": rng.choice(("stall", "lose"))}
        case "nonce":
            variants = ("again", "underpriced", "replaced", "gap", "low")
            return {"nonce": rng.choice(variants)}
        case "reorg":
            depth = rng.randint(1, _DEPTH_MAX)
            return {"reorg_depth": depth, "buried": rng.randint(0, _DEPTH_MAX)}


def _log_uniform(rng: random.Random, low: int, high: int) -> int:
    """A random integer whose logarithm is uniformly distributed."""
    drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
    return min(high, max(low, round(drawn)))
