from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from harness.clock import NS_PER_S
from harness.contract import trace_id
from harness.contract.codec import decode_signal
from harness.evidence.records import Mode, PushStatus
from harness.load.swarm import Swarm
from harness.scenario.models import Load, Stage
from harness.schedule.content import contents
from harness.schedule.pacing import expected_count, intended_offsets
from tests.stack.swarm_setup import (
    CHAIN_EVENTS,
    CONTRACT,
    PROPOSALS,
    Chain,
    OwnRedis,
    journal,
    names,
    plan_for,
    wait_for,
)

pytestmark = pytest.mark.stack


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Redis that belongs to the test."""
    (tmp_path / "redis").mkdir()
    made = OwnRedis(tmp_path / "redis")
    made.start()
    yield made
    made.stop()


def load_of(*stages: tuple[int, float, float], processes: int = 1) -> Load:
    """Poisson load of (agents, rate, seconds) without warm-up."""
    return Load(
        warmup_s=0,
        processes=processes,
        stages=tuple(Stage(agents=a, rate_from=r, rate_to=r, duration_s=s) for a, r, s in stages),
    )


def until_sent(swarm: Swarm, count: int) -> None:
    """Until the swarm says that it has sent so many."""
    until = time.monotonic() + 15
    while swarm.totals().sent < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def stream_names(server: OwnRedis) -> dict[tuple[int, int], tuple[int, int]]:
    """Trace id and entry id of every proposal in the stream, in its order."""
    found = {}
    entries: Any = server.client.xrange(PROPOSALS)
    for entry, fields in entries:
        message = decode_signal(fields[CONTRACT.streams.field.encode()])
        milliseconds, sequence = entry.decode().split("-")
        found[trace_id.parse(message.trace_id)] = (int(milliseconds), int(sequence))
    return found


def test_journal_and_stream_agree(server: OwnRedis, tmp_path: Path) -> None:
    """Two processes: all that was intended, once, in order, as composed; agents leave no group."""
    # Long enough for each agent to meet a block, on a busy host too.
    load = load_of((4, 200, 0.7), (9, 250, 3.0), processes=2)
    plan = plan_for(server, load, tmp_path / "journal", full_share=0.3, memo_bytes=20)
    swarm = Swarm(plan, tmp_path)
    with Chain(server, 0.2) as chain:
        swarm.start()
        wait_for(swarm, 15)
    assert swarm.failure() is None
    stream = stream_names(server)
    totals = swarm.totals()
    expected = expected_count(load, plan.seed)
    assert expected == len(stream) == totals.sent == totals.accepted == totals.due
    assert totals.refused == totals.unknown == totals.agents == 0
    order = list(stream)
    for process in (0, 1):
        attempts, acks = journal(plan.folder, process)
        assert names(attempts) == names(acks)
        assert set(attempts["agent"] % 2) == {process}
        own = set(names(attempts))
        assert [name for name in order if name in own] == names(attempts)
        ids = list(zip(acks["redis_ms"].tolist(), acks["redis_seq"].tolist(), strict=True))
        assert ids == [stream[name] for name in names(acks)]
        assert (attempts["sent_ns"] >= attempts["intended_ns"]).all()
        assert (acks["acked_ns"] > attempts["sent_ns"]).all()
        for agent in set(attempts["agent"].tolist()):
            mine = attempts[attempts["agent"] == agent]
            paced = np.concatenate([o for _, o in intended_offsets(load, plan.seed, agent)])
            assert mine["intended_ns"].tolist() == (plan.t0_ns + paced).tolist()
            drawn = contents(plan.signals, plan.seed, agent, 0, len(mine))
            assert mine["mode"].tolist() == drawn.modes
            assert mine["address"].tolist() == drawn.addresses
    assert set(attempts["mode"].tolist()) == {Mode.LITE, Mode.FULL}
    assert server.client.xinfo_groups(CHAIN_EVENTS) == []
    assert 9 <= totals.blocks <= 9 * (chain.number - 99)
    assert 100 < attempts["sync_block"].max() <= chain.number


def test_a_late_swarm_knows_the_chain(server: OwnRedis, tmp_path: Path) -> None:
    """What was due before the process was there goes at once, and with the newest block."""
    server.block(100)
    load = load_of((5, 100, 1.0))
    plan = plan_for(server, load, tmp_path / "journal", lead_ns=-NS_PER_S)
    swarm = Swarm(plan, tmp_path)
    swarm.start()
    wait_for(swarm, 15)
    assert swarm.failure() is None
    attempts, _ = journal(plan.folder)
    assert len(attempts) == expected_count(load, plan.seed)
    assert set(attempts["sync_block"].tolist()) == {100}
    assert server.client.xinfo_groups(CHAIN_EVENTS) == []


def test_signals_wait_for_a_redis_that_comes_back(server: OwnRedis, tmp_path: Path) -> None:
    """Killed in the middle: what was under way is unknown, the rest late; the account sums."""
    load = load_of((5, 300, 3.0))
    plan = plan_for(server, load, tmp_path / "journal")
    swarm = Swarm(plan, tmp_path)
    with Chain(server, 0.2):
        swarm.start()
        until_sent(swarm, 200)
        server.kill()
        time.sleep(0.5)
        server.start()
        wait_for(swarm, 20)
    assert swarm.failure() is None
    attempts, acks = journal(plan.folder)
    assert len(attempts) == len(acks) == expected_count(load, plan.seed)
    assert sorted(names(attempts)) == sorted(names(acks))
    assert len(set(names(acks))) == len(acks)
    outcomes = Counter(PushStatus(outcome) for outcome in acks["outcome"].tolist())
    assert outcomes[PushStatus.ACCEPTED] > 500
    assert (attempts["sent_ns"] - attempts["intended_ns"]).max() > 300_000_000
    stream = stream_names(server)
    accepted = set(names(acks[acks["outcome"] == PushStatus.ACCEPTED]))
    assert accepted <= set(stream) <= set(names(attempts))
    latest = swarm.children[0].latest
    assert latest is not None
    assert latest["reconnects"] == 1
    assert server.client.xinfo_groups(CHAIN_EVENTS) == []


def test_killed_swarm_leaves_its_journal(server: OwnRedis, tmp_path: Path) -> None:
    """Kill -9: every entry in the stream has its attempt, and the parent knows what happened."""
    plan = plan_for(server, load_of((5, 800, 20)), tmp_path / "journal")
    swarm = Swarm(plan, tmp_path)
    server.block(1)
    swarm.start()
    until_sent(swarm, 300)
    os.kill(swarm.children[0].pid, signal.SIGKILL)
    wait_for(swarm, 5)
    assert swarm.failure() == "swarm-0 was ended by SIGKILL"
    attempts, acks = journal(plan.folder)
    time.sleep(0.1)  # Redis may still be reading what the dead process sent
    stream = stream_names(server)
    assert len(stream) >= 300
    assert set(stream) <= set(names(attempts))
    assert set(names(acks)) <= set(stream)


def test_asked_to_end_it_ends_in_order(server: OwnRedis, tmp_path: Path) -> None:
    """SIGTERM: nothing under way is left open, groups are gone, and it says that it was early."""
    plan = plan_for(server, load_of((5, 400, 20)), tmp_path / "journal")
    swarm = Swarm(plan, tmp_path)
    server.block(1)
    swarm.start()
    until_sent(swarm, 100)
    swarm.stop()
    assert swarm.failure() == "swarm-0: ended by SIGTERM before its last signal was due"
    attempts, acks = journal(plan.folder)
    assert names(attempts) == names(acks)
    assert swarm.totals().sent == len(attempts)
    assert server.client.xinfo_groups(CHAIN_EVENTS) == []


def test_refusals_are_counted_by_reason(server: OwnRedis, tmp_path: Path) -> None:
    """A Redis without memory refuses; that is an outcome, not an end."""
    load = load_of((2, 50, 0.5))
    plan = plan_for(server, load, tmp_path / "journal")
    server.block(1)
    server.client.config_set("maxmemory", 1)
    swarm = Swarm(plan, tmp_path)
    swarm.start()
    wait_for(swarm, 10)
    assert swarm.failure() is None
    _, acks = journal(plan.folder)
    assert set(acks["outcome"].tolist()) == {PushStatus.REFUSED}
    latest = swarm.children[0].latest
    assert latest is not None
    assert latest["reasons"] == {"OOM": expected_count(load, plan.seed)}


def test_wrong_password_ends_at_once(server: OwnRedis, tmp_path: Path) -> None:
    """What can never succeed is not tried for long, and no secret is printed."""
    plan = plan_for(server, load_of((2, 50, 5)), tmp_path / "journal")
    wrong = SecretStr(f"redis://:not-this@127.0.0.1:{server.port}/0")
    swarm = Swarm(plan.model_copy(update={"redis_url": wrong}), tmp_path)
    swarm.start()
    wait_for(swarm, 8)
    failure = swarm.failure()
    assert failure is not None
    assert "password" in failure
    assert "not-this" not in failure + swarm.children[0].log_tail()
