"""The invariants of a gate's round, checked against its observations; pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.gate.pool_code import gas_burnt
from harness.analysis.gate.pool_math import (
    expected_swap,
    initial_reserves,
    moved_reserves,
    product,
    swap,
)
from harness.analysis.gate.risk_limits import exceeded_limits, gas_fee_of, protocol_fee_of
from harness.evidence.gate_log import DecisionRecord, FuzzCase, PoolReserves, RoundObservation

SIMULATED = "SIMULATED"
_BROKEN = "INVARIANT_BROKEN"
_TIMEOUT = "SIMULATION_TIMEOUT"
# Nonce conflicts in which the second transaction is refused.
_REFUSED = frozenset({"again", "underpriced", "low"})

Finding = tuple[str, str]


def broken_invariants(
    draw: FuzzCase, seen: RoundObservation, gas_estimate: int, limit_ns: int
) -> tuple[Finding, ...]:
    """Name and message of each invariant that a round broke.

    Args:
        draw: the case of the round.
        seen: the observations.
        gas_estimate: gas of an ordinary swap.
        limit_ns: time limit of a decision.
    """
    gas = gas_estimate + gas_burnt(draw.burn)
    return (
        *_pool(draw, seen, gas),
        *_once(draw, seen),
        *_reorganised(draw, seen),
        *_decisions(draw, seen, gas, gas_estimate, limit_ns),
    )


def _pool(draw: FuzzCase, seen: RoundObservation, gas: int) -> Iterator[Finding]:
    """Balances are conserved, the product does not fall, and the outcome is the expected one."""
    trade = expected_swap(draw)
    if seen.before != initial_reserves(draw) or seen.moved != moved_reserves(draw):
        yield (
            "state",
            f"the pool held {seen.before}, then {seen.moved}: not the reserves that were set",
        )
    quote = swap(moved_reserves(draw), draw.amount_in)
    expected = (quote.amount_out, gas) if quote.amount_out else (None, None)
    if (seen.call_out, seen.call_gas) != expected:
        yield "outcome", f"a call gives {seen.call_out} for {seen.call_gas} gas, not {expected}"
    if seen.mined != trade.after:
        yield "outcome", f"the swap left {seen.mined}, not {trade.after}"
    amount_in, amount_out = _moves(seen.moved, seen.mined)
    if (amount_in, amount_out) != (seen.event_in, seen.event_out):
        yield (
            "conserved",
            f"{amount_in} came in and {amount_out} went out, but the events report"
            f" {seen.event_in} and {seen.event_out}",
        )
    if product(seen.mined) < product(seen.moved):
        yield "product", f"it fell from {product(seen.moved)} to {product(seen.mined)}"
    if seen.balance_lost != seen.fee_paid:
        yield "paid", f"the trader lost {seen.balance_lost} wei, and gas cost {seen.fee_paid}"


def _moves(before: PoolReserves, after: PoolReserves) -> tuple[int, int]:
    return after.paid_in - before.paid_in, before.taken_out - after.taken_out


def _once(draw: FuzzCase, seen: RoundObservation) -> Iterator[Finding]:
    """The swap is mined exactly once, with the expected nonce, however often it was sent."""
    is_refused = bool(expected_swap(draw).refused)
    expected = (0, 1) if is_refused else (1, 0)
    if (seen.succeeded, seen.reverted) != expected:
        yield (
            "once",
            f"{seen.succeeded} swaps succeeded and {seen.reverted} reverted, not {expected}",
        )
    if seen.early:
        yield "once", f"{seen.early} transactions were mined before the one with the nonce below"
    nonces = 2 if draw.nonce == "gap" else 1
    if seen.nonces_mined != nonces:
        yield "once", f"{seen.nonces_mined} nonces were used, not {nonces}"
    if draw.nonce in _REFUSED and not seen.refused:
        yield "once", "a second transaction with a used nonce was accepted"


def dropped(draw: FuzzCase) -> bool:
    """Whether the reorganisation removes the swap's block."""
    return draw.reorg_depth > draw.buried


def _reorganised(draw: FuzzCase, seen: RoundObservation) -> Iterator[Finding]:
    """After a reorganisation the pool has the state of the remaining blocks."""
    expected = moved_reserves(draw) if dropped(draw) else expected_swap(draw).after
    if seen.after != expected:
        yield "reorg", f"at the end the pool holds {seen.after}, not {expected}"
    nonces = 0 if dropped(draw) else 2 if draw.nonce == "gap" else 1
    if seen.nonces != nonces:
        yield "reorg", f"at the end {seen.nonces} nonces are used, not {nonces}"
    if seen.forked != draw.reorg_depth:
        yield "reorg", f"{seen.forked} blocks were replaced, not {draw.reorg_depth}"


def _decisions(
    draw: FuzzCase, seen: RoundObservation, gas: int, gas_estimate: int, limit_ns: int
) -> Iterator[Finding]:
    if tuple(one.when for one in seen.asked) != moments_of(draw):
        yield "decision", f"asked at {[one.when for one in seen.asked]}, not {moments_of(draw)}"
    pools = {
        "before": initial_reserves(draw),
        "moved": moved_reserves(draw),
        "mined": expected_swap(draw).after,
    }
    pools["reorged"] = pools["moved"] if dropped(draw) else pools["mined"]
    for one in seen.asked:
        if one.when == "stalled":
            if one.status != _TIMEOUT or one.took_ns < limit_ns:
                yield "timeout", f"without an answer of the node the decision is {one.status}"
        else:
            yield from _decision(one, draw, pools[one.when], gas, gas_estimate, limit_ns)


def moments_of(draw: FuzzCase) -> tuple[str, ...]:
    """Moments at which a round asks for a decision."""
    return (
        *(("stalled",) if draw.rpc else ()),
        "before",
        *(("moved",) if "price" in draw.kinds else ()),
        *(("mined", "reorged") if draw.reorg_depth else ()),
    )


def _decision(
    one: DecisionRecord,
    draw: FuzzCase,
    pool: PoolReserves,
    gas: int,
    gas_estimate: int,
    limit_ns: int,
) -> Iterator[Finding]:
    """A trade beyond a limit is refused, and one within all limits is accepted."""
    amount_out = swap(pool, draw.amount_in).amount_out
    limits = exceeded_limits(draw, pool, amount_out, gas, gas_estimate) if amount_out else ()
    if one.status == SIMULATED:
        for name in limits:
            yield name, f"{one.when}: accepted, although it exceeds the limit of {name}"
        if not amount_out:
            yield "decision", f"{one.when}: accepted, although the contract refuses it"
        fees = (gas_fee_of(draw, gas), protocol_fee_of(draw))
        if (one.gas_fee, one.protocol_fee) != fees:
            yield "decision", f"{one.when}: fees of {(one.gas_fee, one.protocol_fee)}, not {fees}"
    elif is_slow(one, limit_ns):
        return  # a late answer is refused, which a busy host may cause
    elif one.status != _BROKEN:
        yield "decision", f"{one.when}: {one.status} ({one.detail}), without a reason in this round"
    elif one.detail not in (limits if amount_out else ("reverted",)):
        yield "decision", f"{one.when}: refused for {one.detail}, which does not apply"


def is_slow(one: DecisionRecord, limit_ns: int) -> bool:
    """Whether a decision timed out because the node was slow without a planned stall."""
    return one.when != "stalled" and one.status == _TIMEOUT and one.took_ns >= limit_ns
