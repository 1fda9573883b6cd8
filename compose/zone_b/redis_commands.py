"""Connections to Redis, and its answers as they were sent."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from zone_b.redis_cluster import ClusterClient

_RAW = ("XREADGROUP", "XAUTOCLAIM", "XREAD", "XRANGE", "XREVRANGE")


def connect(url: str, *, timeout_s: float = 10.0) -> redis.Redis:
    """A client that fails at once: a read repeated after a lost answer would skip entries."""

    def server(address: str) -> redis.Redis:
        client = redis.Redis.from_url(
            address,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=5,
        )
        for name in _RAW:
            client.set_response_callback(name, _as_sent)
        return client

    return ClusterClient(url, server) if ClusterClient.is_for(url) else server(url)


def command(client: redis.Redis, *arguments: str | bytes | int) -> Any:
    """Send a command; the answer as hiredis parsed it."""
    return client.execute_command(*arguments)  # type: ignore[no-untyped-call] # redis-py has no types


def last_entry(client: redis.Redis, key: str) -> tuple[bytes, list[bytes]] | None:
    """Id and fields (names and values in turn) of a stream's newest entry."""
    for entry_id, fields in command(client, "XREVRANGE", key, "+", "-", "COUNT", 1):
        return entry_id, fields
    return None


def _as_sent(response: Any, **options: Any) -> Any:
    del options
    return response
