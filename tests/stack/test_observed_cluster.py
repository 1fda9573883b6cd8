"""What observes a run reads a Redis Cluster, also after the slot of a stream has moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S, ManualClock, SystemClock
from harness.contract.names import Contract
from harness.faults.health_checks import check_redis, redis_session
from harness.observe.clock_probes import ClockProber
from harness.observe.final_state import write_heads
from harness.observe.redis_facts import read_redis_facts
from harness.observe.result_stream_watcher import ResultStreamWatcher
from harness.observe.stream_samplers import PendingSampler, ProposalsSampler
from harness.observe.watcher import WatcherLost
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sources.redis_server import RedisSampler
from tests.stack.redis_nodes import OwnCluster

pytestmark = pytest.mark.stack

CONTRACT = Contract(prefix="observed:")
STREAMS = CONTRACT.streams
PROPOSALS, EVENTS = CONTRACT.key(STREAMS.proposals), CONTRACT.key(STREAMS.chain_events or "")
ENTRIES = 3


@pytest.fixture(scope="module")
def url(cluster: OwnCluster) -> str:
    """The cluster, whose two streams hold entries; the agents' group has them pending."""
    for key, group in ((PROPOSALS, STREAMS.engine_group), (EVENTS, STREAMS.agents_group)):
        cluster.client.xgroup_create(key, group or "", id="0", mkstream=True)
        for _ in range(ENTRIES):
            cluster.client.xadd(key, {"data": b"x"})
        cluster.client.xreadgroup(group or "", "one", {key: ">"})
    return cluster.url.get_secret_value()


def read_lines(path: Path) -> list[Any]:
    """The documents of a file of lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def move(cluster: OwnCluster) -> None:
    """Move the slots of both streams."""
    for key in (PROPOSALS, EVENTS):
        cluster.migrate(key)


def test_samplers_follow_the_streams(cluster: OwnCluster, url: str, tmp_path: Path) -> None:
    """A slot that has moved costs one sample."""
    paths = tmp_path / "redis.jsonl", tmp_path / "pool.jsonl"
    samplers = (
        ProposalsSampler(url, CONTRACT, paths[0], SystemClock()),
        PendingSampler(url, CONTRACT, paths[1], SystemClock()),
    )
    for sampler in samplers:
        sampler.poll()
    move(cluster)
    for sampler in samplers * 2:
        sampler.poll()
    streams, pools = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in paths
    )
    assert [one["stream"]["length"] for one in streams] == [ENTRIES] * 2
    assert [one["group"]["pending"] for one in streams] == [ENTRIES] * 2
    assert [len(one["pending"]["one"]) for one in pools] == [ENTRIES] * 2


def test_telemetry_follows_the_streams(cluster: OwnCluster, url: str) -> None:
    """A slot that has moved costs no sample; each stream is asked where it is."""
    lines: list[str] = []
    batch = SampleBatch("redis", lines.append)
    sampler = RedisSampler(url, CONTRACT, lambda: None)
    for second in (1, 2):
        sampler.sample(batch)
        batch.end(second * NS_PER_S)
        move(cluster)
    sampler.close()
    found = read_telemetry("".join(lines), 0)
    assert found.unread.keys() <= {"redis.group.lag"}  # Redis before 7.0
    for name in (STREAMS.proposals, STREAMS.chain_events):
        lengths = found.time_series[f"redis.stream.{name}.length_count"].values
        assert list(lengths) == [ENTRIES] * 2
    assert len(found.time_series["redis.memory_bytes"].values) == 2


def test_what_remains_is_read_from_every_node(
    cluster: OwnCluster, url: str, tmp_path: Path
) -> None:
    """Lengths of streams on several nodes, the group, the chain events, and the clock."""
    move(cluster)
    facts = read_redis_facts(url, CONTRACT)
    assert facts["lengths"][STREAMS.proposals] == facts["lengths"][STREAMS.chain_events] == ENTRIES
    assert facts["proposals"]["engine_group"]["pending"] == ENTRIES
    write_heads(url, CONTRACT, tmp_path / "heads.bin")
    prober = ClockProber("host=/nowhere", url, PROPOSALS, tmp_path / "clock.jsonl", SystemClock())
    prober.probe_all()
    prober.probe_all()
    probes = read_lines(tmp_path / "clock.jsonl")
    assert [one["server"] for one in probes] == ["redis"] * 2


def test_a_stream_of_results_is_followed(cluster: OwnCluster, url: str) -> None:
    """The watcher is lost when the slot moves, and continues at its position."""
    contract = CONTRACT.model_copy(
        update={"seen": CONTRACT.seen.model_copy(update={"stream": "results"})}
    )
    watcher = ResultStreamWatcher(url, contract, ManualClock())
    key = contract.key("results")
    cluster.client.xadd(key, {"data": b"before"})
    watcher.open(0)
    cluster.migrate(key)
    with pytest.raises(WatcherLost):
        watcher.poll(0)
    watcher.open(0)
    cluster.client.xadd(key, {"data": b"after"})
    watcher.poll(0)
    assert watcher.unreadable == 1
    watcher.close()


def test_the_node_of_a_key_is_asked(cluster: OwnCluster, url: str) -> None:
    """The health of Redis is that of the first node; a fault of a stream asks the stream's."""
    for _ in range(2):
        assert check_redis(url)
        with redis_session(url, key=PROPOSALS) as client:
            assert client.xlen(PROPOSALS) == ENTRIES
        move(cluster)
