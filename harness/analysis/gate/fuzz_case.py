"""The rounds, drawn from the seed: the same again for the same seed."""

from __future__ import annotations

import math
import random
from typing import Any

from harness.analysis.gate.pool_code import BURN_GAS
from harness.evidence.gate_log import FuzzCase
from harness.scenario.gate import KINDS, Gate, GateKind

# A kind that was not drawn joins the round with this chance.
_JOINS = 0.12
_AMOUNT_WEI = (10**15, 10 * 10**18)
_POSITION_PERCENT = (0.5, 70.0)
_SLIPPAGE_BPS = (1, 300)
_GAS_PRICE_WEI = (10**9, 50 * 10**9)
_GAS_TIMES_MAX = 1_000
_BURN_CHANCE = 0.4
# Up to 20 times what an ordinary swap uses, which is a little over 27,000.
_BURN_MAX = 20 * 27_000 // BURN_GAS
_LIQUIDITY_PPM = (1_000, 1_000_000)
_PRICE_MAX_PPM = 900_000
_ONE_PPM = 1_000_000
_DEPTH_MAX = 3


def draw_case(gate: Gate, seed: int, number: int) -> FuzzCase:
    """A round; a pure function of its arguments.

    Args:
        gate: whose weights count.
        seed: of the scenario.
        number: of the round, from 0.
    """
    chance = random.Random(f"{seed}/gate/{number}")  # noqa: S311 - to be repeatable, not secret
    weights = gate.weights.by_kind()
    first = chance.choices(KINDS, tuple(weights.values()))[0]
    joined = [
        kind for kind in KINDS if chance.random() < _JOINS and kind != first and weights[kind] > 0
    ]
    amount_wei = _log_uniform(chance, *_AMOUNT_WEI)
    draws: dict[str, Any] = {
        "amount_in": amount_wei,
        "capital": math.ceil(amount_wei * 100 / chance.uniform(*_POSITION_PERCENT)),
        "gas_price": _log_uniform(chance, *_GAS_PRICE_WEI),
        "slippage_max_bps": _log_uniform(chance, *_SLIPPAGE_BPS),
        "least": chance.choice(("none", "none", "exact", "one_more")),
    }
    kinds = (first, *joined)
    for kind in kinds:
        draws |= _of_kind(kind, chance)
    return FuzzCase(kinds=kinds, **draws)


def _of_kind(kind: GateKind, chance: random.Random) -> dict[str, Any]:
    match kind:
        case "gas":
            burns = chance.random() < _BURN_CHANCE
            return {
                # The largest is as likely as a tenth of the others: a bound is where things break.
                "price_times": _GAS_TIMES_MAX
                if chance.random() < 0.1
                else _log_uniform(chance, 2, _GAS_TIMES_MAX),
                "burn": _log_uniform(chance, 10, _BURN_MAX) if burns else 0,
            }
        case "liquidity":
            lowest, highest = _LIQUIDITY_PPM
            is_lowest = chance.random() < 0.1
            return {"liquidity_ppm": lowest if is_lowest else _log_uniform(chance, lowest, highest)}
        case "price":
            move_ppm = chance.choice((-1, 1)) * (
                _PRICE_MAX_PPM if chance.random() < 0.1 else chance.randint(1_000, _PRICE_MAX_PPM)
            )
            return {"price_ppm": _ONE_PPM + move_ppm, "least": chance.choice(("none", "slippage"))}
        case "rpc_timeout":
            return {"rpc": chance.choice(("stall", "lose"))}
        case "nonce":
            ways = ("again", "underpriced", "replaced", "gap", "low")
            return {"nonce": chance.choice(ways)}
        case "reorg":
            depth = chance.randint(1, _DEPTH_MAX)
            return {"reorg_depth": depth, "buried": chance.randint(0, _DEPTH_MAX)}


def _log_uniform(chance: random.Random, low: int, high: int) -> int:
    """Every order of magnitude alike."""
    drawn = math.exp(chance.uniform(math.log(low), math.log(high)))
    return min(high, max(low, round(drawn)))
