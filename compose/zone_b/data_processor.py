"""The data processor (`python -m zone_b.data_processor`): publishes every new block."""

from __future__ import annotations

import logging
import sys
import threading
import time

import redis
from prometheus_client import CollectorRegistry, Gauge

from zone_b import defi_pb2
from zone_b.exporter import Exporter
from zone_b.head import read_block
from zone_b.message import FIELD
from zone_b.redis_commands import connect, last_entry
from zone_b.service_lifecycle import run_until_stopped
from zone_b.settings import Settings, read_settings

_KIND = "new_head"

_LOG = logging.getLogger("zone_b.data_processor")


class Blocks:
    """The stream of chain events, from the writing side.

    Args:
        client: used by this object only.
        key: the stream.
        maxlen: entries that it is trimmed to, about.
    """

    def __init__(self, client: redis.Redis, key: str, maxlen: int) -> None:
        self._client = client
        self._key = key
        self._maxlen = maxlen

    def last(self) -> int:
        """The last block in the stream; 0 if there is none."""
        entry = last_entry(self._client, self._key)
        return (read_block(entry[1]) or 0) if entry else 0

    def publish(self, block: int, wall_ms: int) -> None:
        """Add a block.

        Args:
            block: its number.
            wall_ms: Unix time in milliseconds, UTC.
        """
        event = defi_pb2.ChainEvent(
            block_number=block, sync_block=block, sync_timestamp=wall_ms, kind=_KIND
        )
        self._client.xadd(
            self._key, {FIELD: event.SerializeToString()}, maxlen=self._maxlen, approximate=True
        )


def run(settings: Settings, stop: threading.Event) -> None:
    """Publish a block at once, and one every block time, until the signal to stop.

    Raises:
        redis.RedisError: the server is lost.
    """
    height = Gauge(
        "defi_chain_head_block", "Newest block", registry=(registry := CollectorRegistry())
    )
    blocks = Blocks(connect(settings.redis_url), settings.chain_events_key, settings.stream_maxlen)
    block = blocks.last()
    exporter = Exporter(settings.http_host, settings.http_port, registry, lambda: block > 0)
    exporter.start()
    due = time.monotonic()
    while not stop.is_set():
        block += 1
        try:
            blocks.publish(block, time.time_ns() // 1_000_000)
        except redis.OutOfMemoryError as error:
            # It will be refused for as long as Redis is full; a restart would not change that.
            _LOG.warning("block %d is not published: %s", block, error)
        height.set(block)
        due += settings.block_time_s
        stop.wait(max(0.0, due - time.monotonic()))
    exporter.stop()


def main() -> int:
    """Run the data processor; the exit code."""
    return run_until_stopped(
        "data_processor", lambda stop: run(read_settings(), stop), (redis.RedisError,)
    )


if __name__ == "__main__":
    sys.exit(main())
