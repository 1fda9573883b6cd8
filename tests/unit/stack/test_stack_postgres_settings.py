"""Scaling PostgreSQL's memory to the host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.stack.process.postgres_settings import (
    GIB,
    MIB,
    Setting,
    format_config,
    memory_settings,
    server_settings,
)


def _applied_mib(setting: Setting) -> int:
    number, unit = int(setting.applied[:-2]), setting.applied[-2:]
    return number * {"MB": 1, "GB": 1024}[unit]


def test_specified_on_a_large_host() -> None:
    """From 16 GiB on the specified values are in force."""
    for memory_bytes in (16 * GIB, 24 * GIB, 512 * GIB):
        applied = [(s.specified, s.applied) for s in memory_settings(memory_bytes)]
        assert applied == [("1GB", "1GB"), ("3GB", "3GB")]


def test_scaled_on_a_small_host() -> None:
    """8 GiB get half of what is specified, and both values are recorded."""
    applied = [(s.specified, s.applied) for s in memory_settings(8 * GIB)]
    assert applied == [("1GB", "512MB"), ("3GB", "1536MB")]


@given(st.integers(min_value=512 * MIB, max_value=1024 * GIB))
def test_never_more_than_specified_or_a_quarter(memory_bytes: int) -> None:
    """Neither the specification nor a quarter of the host is exceeded, and cache is 3 x buffers."""
    buffers, cache = (_applied_mib(s) for s in memory_settings(memory_bytes))
    assert 16 <= buffers <= 1024
    assert cache * MIB <= max(3 * GIB, memory_bytes)
    assert (buffers + cache) * MIB <= memory_bytes / 4
    assert abs(cache - 3 * buffers) <= 3


def test_what_a_verdict_depends_on() -> None:
    """Durability is never traded away, and only loopback is served."""
    applied = {s.name: s.applied for s in server_settings(5432, 8 * GIB)}
    assert applied["fsync"] == applied["synchronous_commit"] == applied["full_page_writes"] == "on"
    assert applied["wal_level"] == "logical"
    assert applied["listen_addresses"] == "127.0.0.1"
    assert applied["max_connections"] == "200"


def test_config_lines() -> None:
    """Each setting is one quoted line."""
    settings = (Setting("port", None, "5"), Setting("unix_socket_directories", None, ""))
    assert format_config(settings) == "port = '5'\nunix_socket_directories = ''\n"
