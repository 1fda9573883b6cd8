"""The reference engine on real servers: what it writes, and what it must never do."""

from __future__ import annotations

import time

import psutil
import pytest
import redis

from harness.contract.codec import decode_chain_head
from tests.stack.zone_b_process import ETHER, Site, site, until
from zone_b import defi_pb2
from zone_b.data_processor import Blocks
from zone_b.migrate import migrate

__all__ = ["site"]  # a fixture that this module uses by its name

pytestmark = pytest.mark.stack

METRICS = (
    'defi_fsm_transition_duration_ms_bucket{le="1.0",mode="lite",transition="INIT->LOCKED"}',
    'defi_fsm_transition_duration_ms_count{mode="lite",transition="LOCKED->SIMULATED"}',
    "defi_watermark_lag_blocks",
    "defi_statedb_cache_hit_ratio",
    "defi_db_pool_active_connections",
    "defi_recovered_total",
)


def publish_block(site: Site, block: int) -> None:
    """Let the chain have this head."""
    with redis.Redis.from_url(site.redis_url, protocol=2) as client:
        Blocks(client, f"{site.prefix}stream:chain:events", 100).publish(block, 0)


def test_migrating_again_changes_nothing(site: Site) -> None:
    """The schema can be applied to a database that has it, with rows in it."""
    site.rows("INSERT INTO nonce_locks (address, chain_id, nonce) VALUES ('a', 1, 7) RETURNING 1")
    migrate(site.owner_dsn)
    assert site.rows("SELECT nonce FROM nonce_locks") == [(7,)]


def test_signals_reach_simulated_in_order(site: Site) -> None:
    """Many agents: all SIMULATED, nonces in the order of the stream, books balanced, all acked."""
    site.start()
    site.send(site.signal(i, agent=a) for i in range(20) for a in range(10))
    site.await_idle()
    for name in METRICS:
        assert site.has_metric(name), name
    assert site.statuses() == {"SIMULATED": 200}
    site.assert_sound()
    # A trace id sorts by agent, then by index.
    assert site.rows("SELECT nonce FROM trade_tasks ORDER BY trace_id") == [
        (nonce,) for _ in range(10) for nonce in range(20)
    ]
    assert site.stop() == 0


def test_one_address_keeps_the_order_of_the_stream(site: Site) -> None:
    """Two workers and one hot address: the nonces follow the stream without a gap."""
    site.start()
    for start in range(0, 300, 10):
        site.send(site.signal(i, address=7) for i in range(start, start + 10))
    site.await_idle()
    assert site.rows("SELECT nonce FROM trade_tasks ORDER BY trace_id") == [
        (nonce,) for nonce in range(300)
    ]
    site.assert_sound()


def test_a_known_capacity_serves_in_turn(site: Site) -> None:
    """No signal is final before its service ends, and order, nonces and books stay right."""
    site.env = {"DEFI_WORKERS": "1", "DEFI_SERVICE": "token_bucket", "DEFI_SERVICE_RATE": "100"}
    site.start()
    sent_s = time.time()
    site.send(site.signal(i, agent=i % 3) for i in range(60))
    site.await_idle()
    final_s = site.rows("SELECT extract(epoch FROM updated_at)::float8 FROM trade_tasks ORDER BY 1")
    assert site.statuses() == {"SIMULATED": 60}
    # Ids of the stream are whole milliseconds.
    assert all(
        final - sent_s >= (number + 1) / 100 - 0.002 for number, (final,) in enumerate(final_s)
    )
    site.assert_sound()
    assert site.rows("SELECT nonce FROM trade_tasks ORDER BY trace_id") == [
        (nonce,) for _ in range(3) for nonce in range(20)
    ]
    assert site.stop() == 0


def test_a_second_delivery_has_no_effect(site: Site) -> None:
    """The same signals again, in the same batch and later: one row, one nonce, one booking each."""
    messages = [site.signal(i, agent=i % 3) for i in range(30)]
    messages += [site.signal(100, max_slippage_bps=0), site.signal(101, last_sync_block=0)]
    site.send([*messages, *messages])
    site.start()
    site.await_idle()
    before = site.rows("SELECT * FROM trade_tasks ORDER BY trace_id")
    site.send(messages)
    site.await_idle()
    assert site.rows("SELECT * FROM trade_tasks ORDER BY trace_id") == before
    assert site.statuses() == {"SIMULATED": 31, "INVARIANT_BROKEN": 1}
    site.assert_sound()


def test_rejections_take_no_nonce(site: Site) -> None:
    """Stale, unsound and unreadable signals end with their reason; the nonces close ranks."""
    publish_block(site, 100)
    site.start()
    good = [site.signal(i, last_sync_block=98) for i in range(3)]
    broken = defi_pb2.TradeRequest.FromString(site.signal(13, last_sync_block=100))
    broken.payload = b"\xff"
    site.send(
        [
            good[0],
            site.signal(10, last_sync_block=97),
            site.signal(11, last_sync_block=100, max_slippage_bps=0),
            site.signal(12, last_sync_block=100, amount_in=6 * ETHER, staged=True),
            broken.SerializeToString(),
            b"not a message",
            *good[1:],
        ]
    )
    site.await_idle()
    found = site.rows("SELECT trace_id::text, status::text FROM trade_tasks")
    assert dict(found) == {
        **{site.trace(i): "SIMULATED" for i in range(3)},
        site.trace(10): "STALE_DATA_ERROR",
        site.trace(11): "INVARIANT_BROKEN",
        site.trace(12): "SIMULATION_UNAVAILABLE",
        site.trace(13): "MALFORMED",
    }
    site.assert_sound()
    publish_block(site, 101)
    time.sleep(0.1)
    site.send([site.signal(20, last_sync_block=98)])
    site.await_idle()
    assert site.statuses()["STALE_DATA_ERROR"] == 2


def test_kill_9_loses_nothing_and_doubles_nothing(site: Site) -> None:
    """Killed in the middle of its work again and again, the engine finishes every signal once."""
    site.start()
    for round_number in range(2):
        site.send(
            site.signal(round_number * 60 + i, agent=a, address=a % 5)
            for i in range(60)
            for a in range(8)
        )
        done = sum(site.statuses().values())
        until(lambda done=done: sum(site.statuses().values()) > done + 50, "work has begun")  # type: ignore[misc] # a default binds the loop's value
        site.kill()
        assert site.pending() > 0 or site.undelivered()
        site.start()
    site.await_idle()
    assert site.statuses() == {"SIMULATED": 2 * 480}
    site.assert_sound()
    assert site.stop() == 0


def test_what_a_dead_consumer_read_is_claimed(site: Site) -> None:
    """Entries that somebody read and never acknowledged are finished; a trimmed one is counted."""
    site.send(site.signal(i) for i in range(5))
    with redis.Redis.from_url(site.redis_url, protocol=2) as client:
        client.xgroup_create(site.key, "cg:engine", id="0")
        client.xreadgroup("cg:engine", "dead", {site.key: ">"}, count=4)
        trimmed = client.xrange(site.key)[2][0]
        client.xdel(site.key, trimmed)
    site.start()
    site.await_idle()
    assert site.rows("SELECT trace_id::text, nonce FROM trade_tasks ORDER BY trace_id") == [
        (site.trace(index), nonce) for nonce, index in enumerate((0, 1, 3, 4))
    ]
    assert site.metric("defi_recovered_total") == 3
    assert site.metric("defi_trimmed_total") == 1


def test_asked_to_stop_it_finishes_what_it_holds(site: Site) -> None:
    """SIGTERM under load: exit 0, nothing left half done; the next engine does the rest."""
    site.start()
    site.send(site.signal(i, agent=i % 4) for i in range(600))
    assert site.stop() == 0
    assert site.pending() == 0
    assert set(site.statuses()) <= {"SIMULATED"}
    site.start()
    site.await_idle()
    assert site.statuses() == {"SIMULATED": 600}
    site.assert_sound()


def test_a_lost_database_ends_the_engine(site: Site) -> None:
    """Cut off from PostgreSQL in the middle of its work, it ends, and goes on when restarted."""
    site.start()
    site.send(site.signal(i) for i in range(300))
    site.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zone_b'"
    )
    until(lambda: site.ended is not None, "the engine ends")
    assert site.ended == 1
    site.start()
    site.await_idle()
    assert site.statuses() == {"SIMULATED": 300}
    site.assert_sound()


def test_blocks_go_on_where_they_ended(site: Site) -> None:
    """The data processor publishes one block after the other, across a restart."""
    key = f"{site.prefix}stream:chain:events"
    seen: list[int] = []
    for _ in range(2):
        with site.data_processor(block_time_s=0.02), redis.Redis.from_url(site.redis_url) as client:
            count = len(seen) + 5
            until(lambda: client.xlen(key) >= count, "blocks come")  # noqa: B023 - waited for here
        with redis.Redis.from_url(site.redis_url) as client:
            seen = [
                decode_chain_head(fields[b"data"]).block_number for _, fields in client.xrange(key)
            ]
    assert seen == list(range(1, len(seen) + 1))


def test_a_dead_worker_ends_the_engine(site: Site) -> None:
    """When one worker dies, main and all others end, with an exit code that is not zero."""
    site.start()
    _, *workers = site.processes()
    workers[0].kill()
    until(lambda: site.ended is not None, "the engine ends")
    assert site.ended == 1
    assert psutil.wait_procs(workers, timeout=5)[1] == []


def test_a_foreign_nonce_lock_is_respected(site: Site) -> None:
    """A lock that another holds is waited for until it expires."""
    site.start()
    site.send([site.signal(0)])
    site.await_idle()
    site.rows(
        "UPDATE nonce_locks SET locked_by = 'somebody', expires_at = clock_timestamp() "
        "+ interval '1 s' RETURNING 1"
    )
    site.send([site.signal(1)])
    until(lambda: sum(site.statuses().values()) == 2, "the signal is processed")
    assert site.statuses() == {"SIMULATED": 1, "INIT": 1}
    site.await_idle()
    late = site.rows("SELECT count(*) FROM trade_tasks WHERE updated_at - created_at > '0.5 s'")
    assert late == [(1,)]
    site.assert_sound()
