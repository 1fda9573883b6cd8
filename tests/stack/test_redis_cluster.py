"""The embedded Redis Cluster: signals pass it, also while its nodes and slots change."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from harness.clock import SystemClock
from harness.contract import trace_id
from harness.contract.address import address_text
from harness.contract.codec import Signal, encode_signal
from harness.errors import StackError
from harness.faults.factory import AgentTargets, ProcessFaultFactory, RunResources
from harness.faults.instance import FaultInstance
from harness.scenario.fault_registry import fault_kinds
from harness.stack.private_dir import create_private_dir
from harness.stack.process.stack import ProcessStack
from harness.stack.settings import StackSettings
from tests.stack.zone_b_process import ETHER, until
from zone_b.redis_commands import command, connect

pytestmark = [pytest.mark.stack, pytest.mark.alone]

PROPOSALS, EVENTS = "dev:stream:agent:proposals", "dev:stream:chain:events"


@dataclass
class Cluster:
    """A stack with a cluster, and the signals that were sent to it.

    Attributes:
        acknowledged: trace ids of the signals whose XADD was answered.
        refused: how many were refused, or lost their answer.
    """

    stack: ProcessStack
    redis_url: str
    admin_dsn: str
    factory: ProcessFaultFactory
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0

    def send(self, count: int, pause: threading.Event | None = None) -> None:
        """Send signals one after the other."""
        client = connect(self.redis_url)
        tag = trace_id.new_run_tag()
        for index in range(count):
            name = trace_id.text(*trace_id.pack(tag, 0, index))
            try:
                command(client, "XADD", PROPOSALS, "*", "data", encode_signal(_signal(name, index)))
            except redis.RedisError:
                self.refused += 1
                continue
            self.acknowledged.append(name)
            if pause is not None and pause.wait(0.005):
                break
        client.close()

    @contextmanager
    def load(self) -> Iterator[None]:
        """Signals flow in the background, some 200/s."""
        stop = threading.Event()
        thread = threading.Thread(target=self.send, args=(100_000, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)

    def fault(self, kind: str, **keys: object) -> FaultInstance:
        """A fault of a kind, ready."""
        model = fault_kinds()[kind]
        return self.factory.create(model.model_validate({"kind": kind, "at_s": 1, **keys}))

    def simulated(self) -> Counter[str]:
        """Trace ids of the tasks that are SIMULATED."""
        with psycopg.connect(self.admin_dsn) as session:
            rows = session.execute("SELECT trace_id FROM trade_tasks WHERE status = 'SIMULATED'")
            return Counter(str(row[0]) for row in rows)

    def assert_all_simulated(self) -> None:
        """Every acknowledged signal becomes SIMULATED, once."""
        wanted = set(self.acknowledged)
        assert wanted
        until(lambda: wanted <= set(self.simulated()), "every signal is simulated")
        assert max(self.simulated().values()) == 1


def _signal(name: str, number: int) -> Signal:
    return Signal(
        trace_id=name,
        agent_id="agent-0",
        strategy_id="strategy-0",
        last_sync_block=0,
        timestamp_ms=time.time_ns() // 10**6,
        address=address_text(1, number),
        chain_id=1,
        amount_in=ETHER // 2,
        capital=10 * ETHER,
        staged=False,
        max_slippage_bps=100,
        memo=b"",
    )


@contextmanager
def cluster_of(nodes: int, logs: Path) -> Iterator[Cluster]:
    """A stack with so many nodes; its chain stays at one block, so that no signal is stale."""
    settings = StackSettings(redis_cluster_nodes=nodes, block_time_s=600.0, workers=1)
    stack = ProcessStack(settings, create_private_dir(), logs, SystemClock())
    try:
        endpoints = stack.start()
        agents = AgentTargets(dict, PROPOSALS, EVENTS, frozenset())
        run = RunResources(logs, logs, "observer", agents, SystemClock())
        factory = ProcessFaultFactory(stack.services, endpoints, run)
        yield Cluster(
            stack,
            endpoints.redis_url.get_secret_value(),
            endpoints.admin_dsn.get_secret_value(),
            factory,
        )
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three primaries."""
    with cluster_of(3, tmp_path_factory.mktemp("three")) as cluster:
        yield cluster


def play(fault: FaultInstance) -> tuple[str, str]:
    """Inject, prove and heal a fault; what its probe saw of it, and of its end."""
    seen: list[str] = []

    def note(text: str) -> bool:
        seen.append(text)
        return bool(text)

    fault.probe.before()
    try:
        fault.injector.inject()
        until(lambda: note(fault.probe.holds()), "the fault holds", 10)
        holds = seen[-1]
        time.sleep(0.5)
    finally:
        fault.injector.heal()
    until(lambda: note(fault.probe.ended()), "the fault is over", 30)
    return holds, seen[-1]


def test_a_migrated_slot_loses_nothing(three: Cluster) -> None:
    """The stream moves to another primary and back while signals flow; no XADD is refused."""
    three.acknowledged.clear()
    with three.load():
        until(lambda: len(three.acknowledged) > 50, "signals flow")
        holds, ended = play(three.fault("slot_migration", for_s=1))
        count = len(three.acknowledged)
        until(lambda: len(three.acknowledged) > count + 50, "signals flow on")
    assert "answers MOVED" in holds
    assert "again" in ended
    assert three.refused == 0
    three.assert_all_simulated()


def test_a_migration_that_failed_half_way_is_undone(three: Cluster) -> None:
    """The keys come back to their owner, and the slot migrates no more."""
    three.acknowledged.clear()
    three.send(20)
    fault = three.fault("slot_migration", for_s=1)
    fault.probe.before()
    injector: Any = fault.injector
    set_slot = injector._set_slot

    def fail_at_the_end(node: object, *words: str) -> None:
        if words[0] == "NODE":
            raise StackError("is interrupted")
        set_slot(node, *words)

    injector._set_slot = fail_at_the_end
    with pytest.raises(StackError):
        injector.inject()
    injector._set_slot = set_slot
    injector.heal()
    assert fault.probe.ended()
    three.send(20)
    three.assert_all_simulated()


def test_one_unreachable_slot_leaves_the_others_served(three: Cluster) -> None:
    """The node of the stream is frozen, the other primaries answer; the signals come after it."""
    three.acknowledged.clear()
    three.send(20)
    holds, ended = play(three.fault("slot_unreachable", for_s=1))
    assert "2 other primaries answer" in holds
    assert "serves slot" in ended
    three.send(20)
    three.assert_all_simulated()


def test_a_replica_takes_over(tmp_path: Path) -> None:
    """The primary of the stream is killed: its replica serves it, and the engine goes on."""
    with cluster_of(6, tmp_path) as six:
        six.send(50)
        six.assert_all_simulated()  # and acknowledged, long before the primary is killed
        holds, ended = play(six.fault("redis_failover"))
        assert "its replica" in holds
        assert "is a replica of" in ended
        six.send(50)
        six.assert_all_simulated()
        states = {state.name: state.restarts for state in six.stack.services()}
        assert states["redis"] == 1
        assert not any(states[f"redis-{number}"] for number in range(2, 7))


def test_one_node_serves_every_slot(tmp_path: Path) -> None:
    """Any client can reach it: its URL is that of one server."""
    with cluster_of(1, tmp_path) as one:
        assert one.redis_url.startswith("redis://")
        one.send(20)
        one.assert_all_simulated()
        with redis.Redis.from_url(one.redis_url) as client:
            info = client.execute_command("CLUSTER INFO")
        assert (info["cluster_state"], info["cluster_slots_assigned"]) == ("ok", "16384")
