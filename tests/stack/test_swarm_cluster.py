"""The swarm sends to a Redis Cluster, also while the slot of its stream moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.contract import trace_id
from harness.contract.codec import decode_signal
from harness.evidence.records import PushStatus
from harness.load.swarm import Swarm
from harness.redis_connection import node_url, redis_client
from harness.scenario.models import Load, Stage
from harness.schedule.pacing import expected_count
from tests.stack.redis_nodes import OwnCluster
from tests.stack.swarm_setup import CONTRACT, PROPOSALS, journal, names, plan_for, wait_for

pytestmark = pytest.mark.stack


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[OwnCluster]:
    """Three primaries that belong to the test."""
    (tmp_path / "redis").mkdir()
    made = OwnCluster(tmp_path / "redis")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_no_signal_is_lost_or_doubled_while_its_slot_moves(
    cluster: OwnCluster, tmp_path: Path
) -> None:
    """Every id once, in order; acknowledged = stored, by entry id."""
    load = Load(warmup_s=0, stages=(Stage(agents=5, rate_from=3000, rate_to=3000, duration_s=2.0),))
    plan = plan_for(cluster, load, tmp_path / "journal")
    swarm = Swarm(plan, tmp_path)
    cluster.block(7)
    first_owner = node_url(cluster.url.get_secret_value(), PROPOSALS)
    swarm.start()
    until = time.monotonic() + 15
    while swarm.totals().sent < 1000:
        assert time.monotonic() < until
        time.sleep(0.02)
    cluster.migrate(PROPOSALS)
    wait_for(swarm, 15)
    assert swarm.failure() is None
    assert node_url(cluster.url.get_secret_value(), PROPOSALS) != first_owner
    attempts, acks = journal(plan.folder)
    assert len(attempts) == len(acks) == expected_count(load, plan.seed)
    assert set(acks["outcome"]) == {PushStatus.ACCEPTED}
    assert attempts["sync_block"].max() == 7
    with redis_client(cluster.url.get_secret_value()) as client:
        entries = client.xrange(PROPOSALS)
    stored = [
        trace_id.parse(decode_signal(fields[CONTRACT.streams.field.encode()]).trace_id)
        for _, fields in entries
    ]
    assert stored == names(attempts)
    ids = [tuple(map(int, entry.split(b"-"))) for entry, _ in entries]
    assert ids == list(zip(acks["redis_ms"].tolist(), acks["redis_seq"].tolist(), strict=True))
