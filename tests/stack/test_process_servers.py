"""The embedded servers, for real."""

from __future__ import annotations

import psycopg
import pytest
import redis

from tests.stack.conftest import Postgres, Redis

pytestmark = pytest.mark.stack


def test_postgres_keeps_what_a_verdict_needs(postgres: Postgres) -> None:
    """Commits are durable, and the log can be decoded."""
    with psycopg.connect(postgres.admin_dsn) as connection:
        found = {
            name: connection.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "wal_level", "track_commit_timestamp")
        }
    assert found == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "wal_level": ("logical",),
        "track_commit_timestamp": ("on",),
    }


def test_redis_keeps_an_append_only_file(redis_server: Redis) -> None:
    """Streams survive a restart of Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
