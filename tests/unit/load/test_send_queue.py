from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract import defi_pb2, trace_id
from harness.evidence.records import ATTEMPT, Records
from harness.scenario.models import Load, Signals
from harness.schedule.agent_schedule import NEVER_NS, AgentSchedule, Batch
from harness.schedule.content import contents
from harness.schedule.pacing import expected_count, intended_offsets
from harness.schedule.send_queue import SendQueue
from harness.schedule.trade_request_template import varint
from tests.unit.load.swarm_setup import load_of, loads, plan_of

STAMP = varint(1_763_930_000_000)
T0_NS = 1_000_000_000


def queue_of(load: Load, *, block: int = 256) -> SendQueue:
    """The queue of the one process of a load."""
    plan = plan_of(load)
    return SendQueue(AgentSchedule(plan, agent, block=block) for agent in plan.own_agents)


def played(queue: SendQueue, size: int) -> Records:
    """Attempt records of everything, drawn in batches of `size` with drawing in between."""
    batch = Batch(size)
    data = b""
    while queue.next_ns < NEVER_NS:
        batch.clear()
        queue.pop_due(batch, NEVER_NS - 1, STAMP)
        assert batch.count == len(batch.commands) == len(batch.ids) > 0
        data += bytes(batch.stamp(5))
        queue.draw_ahead()
    return np.frombuffer(data, dtype=ATTEMPT)


@settings(max_examples=30)
@given(loads(), st.integers(1, 40), st.integers(1, 40))
def test_everything_once_and_in_order(load: Load, size: int, block: int) -> None:
    """All signals come, each once, in the order of their intended times, at the paced times."""
    records = played(queue_of(load, block=block), size)
    assert len(records) == expected_count(load, 7)
    assert (np.diff(records["intended_ns"]) >= 0).all()
    for agent in set(records["agent"].tolist()):
        own = records[records["agent"] == agent]
        paced = [
            (stage, T0_NS + int(offset))
            for stage, offsets in intended_offsets(load, 7, agent)
            for offset in offsets
        ]
        assert list(zip(own["stage"], own["intended_ns"], strict=True)) == paced
        names = [
            trace_id.unpack(int(hi), int(lo))
            for hi, lo in zip(own["trace_hi"], own["trace_lo"], strict=True)
        ]
        assert names == [(0xABC, agent, index) for index in range(len(own))]


def test_nothing_is_sent_early() -> None:
    """A signal that is due a nanosecond later stays."""
    queue = queue_of(load_of((2, 4, 4, 1), arrival="constant"))
    batch = Batch(8)
    queue.pop_due(batch, queue.next_ns - 1, STAMP)
    assert batch.count == 0
    queue.pop_due(batch, queue.next_ns, STAMP)
    assert batch.count == 1
    assert batch.oldest_ns == T0_NS + 125_000_000


def test_overdue_counts_what_waits() -> None:
    """Signals that are due and not sent are counted, not forgotten."""
    queue = queue_of(load_of((2, 10, 10, 2), arrival="constant"))
    assert queue.overdue(T0_NS - 1) == 0
    assert queue.overdue(T0_NS + 1_000_000_000) == 10
    queue.pop_due(Batch(3), T0_NS + 1_000_000_000, STAMP)
    assert queue.overdue(T0_NS + 1_000_000_000) == 7


def test_signals_carry_the_newest_block() -> None:
    """What an agent has seen of the chain is in its next signal and in the journal."""
    queue = queue_of(load_of((1, 4, 4, 1), arrival="constant"))
    batch = Batch(8)
    queue.schedules[0].sync_block = 4711
    queue.pop_due(batch, NEVER_NS - 1, STAMP)
    assert set(np.frombuffer(batch.stamp(0), dtype=ATTEMPT)["sync_block"].tolist()) == {4711}
    assert varint(4711) in batch.commands[0]


def test_drawing_ahead_is_bounded() -> None:
    """A late schedule is asked for one block only."""
    queue = queue_of(load_of((1, 100, 100, 1), arrival="constant"), block=2)
    queue.pop_due(Batch(50), NEVER_NS - 1, STAMP)
    assert queue.draw_ahead()
    assert not queue.draw_ahead()


def test_stale_signals_name_an_old_block_and_are_marked() -> None:
    """A signal that is stale on purpose is so in its record and in its message; others are not.

    While the chain is too young, it is an ordinary one.
    """
    plan = plan_of(load_of((1, 100, 100, 2)), signals=Signals(stale_share=0.3))
    script = AgentSchedule(plan, 0)
    batch = Batch(400)
    for head in (5, 50):
        script.sync_block = head
        for _ in range(70):
            script.encode_next(batch, STAMP)
    records = np.frombuffer(bytes(batch.stamp(5)), dtype=ATTEMPT)
    young, old = records[:70], records[70:]
    assert set(young["stale"]) == {0}
    assert set(young["sync_block"]) == {5}
    asked = np.array(contents(plan.signals, plan.seed, 0, 0, 140).stale)
    assert 0 < asked[:70].sum() < 70
    assert (old["stale"] == asked[70:]).all()
    assert (old["sync_block"] == np.where(asked[70:], 45, 50)).all()
    for record, sent in zip(records, batch.commands, strict=True):
        message = sent.split(b"\r\n$")[-1].partition(b"\r\n")[2].removesuffix(b"\r\n")
        request = defi_pb2.TradeRequest.FromString(message)
        assert request.ctx.last_sync_block == record["sync_block"]
