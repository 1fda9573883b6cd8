"""What a round would show in which everything is as it must be."""

from __future__ import annotations

from harness.analysis.gate.invariants import SIMULATED, dropped, moments_of
from harness.analysis.gate.pool_code import gas_burnt
from harness.analysis.gate.pool_math import expected_swap, initial_reserves, moved_reserves, swap
from harness.analysis.gate.risk_limits import exceeded_limits, gas_fee_of, protocol_fee_of
from harness.evidence.gate_log import DecisionRecord, FuzzCase, PoolReserves, RoundObservation

ESTIMATE = 27_010
LIMIT_NS = 600_000_000


def decided(draw: FuzzCase, when: str, pool: PoolReserves) -> DecisionRecord:
    """The decision that is right."""
    if when == "stalled":
        status = "SIMULATION_TIMEOUT"
        return DecisionRecord(when="stalled", status=status, detail="timeout", took_ns=LIMIT_NS)
    gas = ESTIMATE + gas_burnt(draw.burn)
    amount_out = swap(pool, draw.amount_in).amount_out
    limits = exceeded_limits(draw, pool, amount_out, gas, ESTIMATE) if amount_out else ("reverted",)
    if limits:
        document = {"status": "INVARIANT_BROKEN", "detail": limits[0]}
    else:
        fees = (gas_fee_of(draw, gas), protocol_fee_of(draw))
        document = {"status": SIMULATED, "gas_fee": str(fees[0]), "protocol_fee": str(fees[1])}
    return DecisionRecord.model_validate({"when": when, "took_ns": 1_000_000, **document})


def held(draw: FuzzCase) -> RoundObservation:
    """A round that broke nothing."""
    trade, moved = expected_swap(draw), moved_reserves(draw)
    after = moved if dropped(draw) else trade.after
    pools = {
        "before": initial_reserves(draw),
        "moved": moved,
        "mined": trade.after,
        "reorged": after,
    }
    nonces = 2 if draw.nonce == "gap" else 1
    expected = swap(moved, draw.amount_in)
    return RoundObservation(
        before=initial_reserves(draw),
        moved=moved,
        mined=trade.after,
        after=after,
        call_out=expected.amount_out or None,
        call_gas=ESTIMATE + gas_burnt(draw.burn) if expected.amount_out else None,
        asked=tuple(decided(draw, when, pools.get(when, moved)) for when in moments_of(draw)),
        succeeded=int(not trade.refused),
        reverted=int(bool(trade.refused)),
        event_in=0 if trade.refused else draw.amount_in,
        event_out=trade.amount_out,
        fee_paid=10**15,
        balance_lost=10**15,
        nonces_mined=nonces,
        nonces=0 if dropped(draw) else nonces,
        refused=("nonce too low",) if draw.nonce in ("again", "underpriced", "low") else (),
        forked=draw.reorg_depth,
    )
