"""Looks at real streams, by each Redis at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import redis

from harness.analysis.entry_ids import pack_id
from harness.analysis.integrity.stream_trimming import read_stream_history
from harness.clock import SystemClock
from harness.contract.names import Contract
from harness.observe.redis_facts import read_redis_facts
from harness.observe.stream_samplers import ProposalsSampler
from tests.stack.conftest import Redis

pytestmark = pytest.mark.stack

CONTRACT = Contract(prefix="watched:")
KEY = CONTRACT.key(CONTRACT.streams.proposals)
GROUP = CONTRACT.streams.engine_group or ""


def test_trimmed_unread_is_reported_from_read_and_trimmed(any_redis: Redis, tmp_path: Path) -> None:
    """Ten entries: two read, six trimmed of which four unread; then the rest is read."""
    watch = ProposalsSampler(any_redis.url, CONTRACT, tmp_path / "redis.jsonl", SystemClock())
    with redis.Redis.from_url(any_redis.url) as client:
        client.delete(KEY)
        watch.poll()
        client.xgroup_create(KEY, GROUP, id="0", mkstream=True)
        ids = [client.xadd(KEY, {"data": b"x"}) for _ in range(10)]
        client.xreadgroup(GROUP, "c", {KEY: ">"}, count=2)
        watch.poll()
        client.xtrim(KEY, maxlen=4, approximate=False)
        client.xreadgroup(GROUP, "c", {KEY: ">"}, count=9)
        watch.poll()
        facts = read_redis_facts(any_redis.url, CONTRACT)["proposals"]
    assert watch.samples == 3
    history = read_stream_history((tmp_path / "redis.jsonl").read_text().splitlines())
    entries = np.array([pack_id(one.decode()) for one in ids], dtype=np.uint64)
    assert history.trimmed(entries).tolist() == [False] * 2 + [True] * 4 + [False] * 4
    assert (history.lines, history.snapshot_count, history.invalid_lines, history.added_before) == (
        3,
        2,
        0,
        0,
    )

    tells = any_redis.version >= "7"
    assert facts["entries_added"] == (10 if tells else None)
    assert facts["newest_id"] == facts["last_id"] == ids[-1].decode()
    # All that were read: Redis keeps them pending, also those that have been trimmed since.
    assert facts["engine_group"]["pending_ids"] == [one.decode() for one in ids[:2] + ids[6:]]


def test_a_redis_that_is_away_leaves_a_gap(any_redis: Redis, tmp_path: Path) -> None:
    """No line, no failure; the next sample is complete."""
    path = tmp_path / "redis.jsonl"
    away = ProposalsSampler("redis://127.0.0.1:1/0", CONTRACT, path, SystemClock())
    away.poll()
    assert (away.samples, away.failure, path.exists()) == (0, "", False)
    watch = ProposalsSampler(any_redis.url, CONTRACT, path, SystemClock())
    watch.start()
    watch.end(5.0)
    assert watch.samples == len(path.read_text().splitlines()) >= 1
    assert {"mono_ns", "stream", "group"} == set(json.loads(path.read_text().splitlines()[0]))


def test_a_full_disk_is_reported(any_redis: Redis, tmp_path: Path) -> None:
    """What cannot be written is a failure, not silence."""
    watch = ProposalsSampler(any_redis.url, CONTRACT, Path("/dev/full"), SystemClock())
    watch.poll()
    assert "No space left" in watch.failure
