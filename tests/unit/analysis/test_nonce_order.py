"""Nonces follow the order of an agent's stream entries."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.anomalies import Anomaly
from harness.analysis.entry_ids import NO_ENTRY_ID, pack_entries, pack_id
from harness.analysis.run_analysis import RunAnalysis, analyze_run
from harness.contract.address import HOT_ADDRESS, address_text
from harness.contract.names import State
from harness.evidence.records import PushStatus
from tests.unit.analysis.evidence import RUN_TAG, World, healthy, load_of

SMALL = load_of(agents=3, rate=30.0, duration_s=2.0, warmup_s=0.5)


def analyzed(world: World) -> RunAnalysis:
    """Write the evidence and gather it."""
    with tempfile.TemporaryDirectory() as reports:
        folder = world.write(Path(reports))
        return analyze_run(folder, folder.read_plan(), folder.read_run())


def hot() -> World:
    """Every agent signs with the one address; nonces in the order of the stream."""
    world = healthy(SMALL)
    assert world.tasks is not None
    assert world.final is not None
    count = len(world.attempts[0])
    world.attempts[0]["address"] = HOT_ADDRESS
    world.tasks["nonce"] = np.arange(count)
    address = address_text(RUN_TAG, HOT_ADDRESS)
    world.final["postgres"]["nonces"] = [{"address": address, "chain_id": 1, "nonce": count}]
    return world


_ids = st.tuples(st.integers(1, 1 << 41), st.integers(0, 4_000_000))


@given(_ids, _ids)
def test_packed_ids_sort_as_ids(one: tuple[int, int], two: tuple[int, int]) -> None:
    """As numbers and as text, ids keep their order, and none equals the value for a missing one."""
    packed = pack_entries(np.array([one[0], two[0]]), np.array([one[1], two[1]], dtype=np.uint32))
    assert (packed[0] < packed[1]) == (one < two)
    assert packed.tolist() == [pack_id(f"{ms}-{seq}") for ms, seq in (one, two)]
    assert NO_ENTRY_ID not in packed


def test_an_answer_without_an_id_has_none() -> None:
    """Zeros stand where Redis gave no id."""
    assert pack_entries(np.array([0]), np.array([7], dtype=np.uint32)).tolist() == [NO_ENTRY_ID]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_only_what_overtook_is_named(data: st.DataObject) -> None:
    """Some signals are rejected or unanswered, some change places: these and no others are named.

    What the answers and rejections leave out is no gap in the order.
    """
    world = healthy(SMALL)
    assert world.tasks is not None
    count = len(world.attempts[0])
    numbers = st.integers(0, count - 1)
    refused = np.array(sorted(data.draw(st.sets(numbers, max_size=20))), dtype=np.int64)
    if len(refused):
        world.reject(world.attempts[0][refused], State.INVARIANT_BROKEN)
    unknown = np.array(sorted(data.draw(st.sets(numbers, max_size=20))), dtype=np.int64)
    world.acks[0]["outcome"][unknown] = PushStatus.UNKNOWN
    world.acks[0]["redis_ms"][unknown] = 0

    placed = np.ones(count, dtype=np.bool_)
    placed[unknown] = placed[refused] = False
    own = np.flatnonzero(placed & (world.attempts[0]["agent"] == 1))
    at = data.draw(st.integers(0, len(own) - 2))
    nonces, pair = world.tasks["nonce"], own[[at, at + 1]]
    assert analyzed(world).finding(Anomaly.ORDER_BROKEN).count == 0
    nonces[pair] = nonces[pair][::-1].copy()
    found = analyzed(world).finding(Anomaly.ORDER_BROKEN)
    assert set(found.traces) == {world.trace(int(number)) for number in pair}
    assert found.count == 2


@pytest.mark.parametrize("processes", [1, 2])
def test_entry_ids_decide_not_the_order_of_answers(processes: int) -> None:
    """The entry id gives the order for any number of swarm processes."""
    world = healthy(load_of(agents=4, rate=30.0, duration_s=2.0, processes=processes))
    found = analyzed(world)
    assert found.finding(Anomaly.ORDER_BROKEN).count == 0
    assert found.integrity.nonce_order.compared == found.signals.attempted
    for acks in world.acks:
        acks["redis_seq"] = acks["redis_seq"].max() - acks["redis_seq"]
    assert analyzed(world).finding(Anomaly.ORDER_BROKEN).count == found.signals.attempted


def test_agents_on_one_address_may_overtake_each_other() -> None:
    """It is counted and no violation; one agent's own order holds there too."""
    world = hot()
    assert world.tasks is not None
    agents, nonces = world.attempts[0]["agent"], world.tasks["nonce"]
    at = int(np.flatnonzero(np.diff(agents.astype(int)))[0])
    nonces[[at, at + 1]] = nonces[[at + 1, at]]
    found = analyzed(world)
    assert found.finding(Anomaly.ORDER_BROKEN).count == 0
    assert found.integrity.nonce_order.crossed_count == 1
    own = np.flatnonzero(agents == 0)[:2]
    nonces[own] = nonces[own][::-1].copy()
    assert analyzed(world).finding(Anomaly.ORDER_BROKEN).count == 2
