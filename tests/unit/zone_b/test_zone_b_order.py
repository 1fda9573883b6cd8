from __future__ import annotations

import multiprocessing

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zone_b.zone_b_values import order
from zone_b.batch import waves
from zone_b.fsm import Status
from zone_b.invariants import Fees
from zone_b.message import Order
from zone_b.trade import Mode, Rejection, Trade
from zone_b.turns import Turn, Turns

WORKERS = 3
ADDRESSES = st.sets(st.sampled_from([f"0x{n:040x}" for n in range(5)]), min_size=1)


def shared(workers: int = WORKERS) -> Turns:
    """What the workers of an engine share."""
    return Turns(multiprocessing.get_context("fork"), workers)


@given(st.lists(st.tuples(st.integers(0, WORKERS - 1), ADDRESSES), max_size=12))
def test_a_batch_waits_for_earlier_ones_with_its_addresses(
    batches: list[tuple[int, set[str]]],
) -> None:
    """Only who shares no address with another worker's unfinished earlier batch may go on."""
    turns = shared()
    places = [Turn(turns, worker) for worker in range(WORKERS)]
    open_batches: dict[int, set[str]] = {}
    for worker, addresses in batches:
        if worker in open_batches:  # a worker has one batch at a time, and takes it to its end
            if not places[worker].may_go_on():
                continue
            places[worker].finish()
            del open_batches[worker]
        places[worker].draw(addresses)
        shares = any(addresses & other for other in open_batches.values())
        assert places[worker].may_go_on() == (not shares)
        open_batches[worker] = addresses


def test_reading_is_one_workers_at_a_time() -> None:
    """While one worker reads, another does not get the turn."""
    turns = shared(2)
    with Turn(turns, 0).reading(0) as first, Turn(turns, 1).reading(0) as second:
        assert first
        assert not second
    with Turn(turns, 1).reading(0) as later:
        assert later


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["lite", "full", "no"])), max_size=10))
def test_nonces_keep_the_order_of_the_stream(signals: list[tuple[int, str]]) -> None:
    """Whatever waits for the node, the trades of one address are committed in their order."""
    decisions: list[tuple[Order, Trade | Rejection | None]] = []
    for index, (address, kind) in enumerate(signals):
        one = order(address=address, trace_id=str(index))
        made: dict[str, Trade | Rejection | None] = {
            "lite": Trade(one, Fees(1, 1), Mode.LITE),
            "full": None,
            "no": Rejection(one.trace_id, Status.INVARIANT_BROKEN, Mode.LITE),
        }
        decisions.append((one, made[kind]))
    now, later = waves(decisions)
    first = [d.order for d in now if isinstance(d, Trade)]
    second = [o for o, d in later]
    assert len(now) + len(later) == len(signals)
    for address in range(3):
        wanted = [
            o.trace_id
            for o, d in decisions
            if o.address == f"0x{address:040x}" and not isinstance(d, Rejection)
        ]
        assert [o.trace_id for o in first + second if o.address == f"0x{address:040x}"] == wanted
    assert all(not isinstance(decision, Rejection) for _, decision in later)
