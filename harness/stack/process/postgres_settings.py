"""PostgreSQL's settings: what the specification asks for, and what this host can give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import psutil

from harness.process.cgroup import own_memory_limit

MIB = 1024 * 1024
GIB = 1024 * MIB

# Container resource quotas v1.0, section 3.4: 4 GB, shared_buffers = 1GB,
# effective_cache_size = 3GB.
QUOTA_BYTES = 4 * GIB
SHARED_BUFFERS_BYTES = 1 * GIB
EFFECTIVE_CACHE_BYTES = 3 * GIB
# Zone B's quotas add up to 23.5 GB, of which PostgreSQL has 4: about a sixth. A quarter leaves
# hosts of 16 GiB and more, where no other zone runs, with the specified values.
HOST_SHARE = 4
_SMALLEST = 16 * MIB


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `specified` is None where the specification is silent."""

    name: str
    specified: str | None
    applied: str


def host_memory_bytes() -> int:
    """Memory this process may count on: the host's, or its own control group's if that is less."""
    total = int(psutil.virtual_memory().total)
    limit = own_memory_limit()
    return total if limit is None else min(total, limit)


def memory_settings(memory_bytes: int) -> tuple[Setting, ...]:
    """The specified memory settings, scaled down for a host that is too small for them.

    PostgreSQL is given a quarter of the host's memory, at most its quota, and keeps the specified
    proportions of it.
    """
    budget = min(QUOTA_BYTES, memory_bytes // HOST_SHARE)
    return tuple(
        Setting(name, _size(specified), _size(specified * budget // QUOTA_BYTES))
        for name, specified in (
            ("shared_buffers", SHARED_BUFFERS_BYTES),
            ("effective_cache_size", EFFECTIVE_CACHE_BYTES),
        )
    )


def server_settings(
    port: int, memory_bytes: int, changed: Mapping[str, str] = MappingProxyType({})
) -> tuple[Setting, ...]:
    """Every setting that differs from PostgreSQL's own, or on which a verdict depends.

    Args:
        port: to listen on.
        memory_bytes: that the server may count on.
        changed: a scenario's own values by name, which win over the others.
    """
    usual = _usual_settings(port, memory_bytes)
    kept = tuple(setting for setting in usual if setting.name not in changed)
    return (*kept, *(Setting(name, value, value) for name, value in changed.items()))


def _usual_settings(port: int, memory_bytes: int) -> tuple[Setting, ...]:
    return (
        Setting("listen_addresses", None, "127.0.0.1"),
        Setting("port", None, str(port)),
        # TCP only: a socket's path has at most 107 bytes, and the specified system uses TCP.
        Setting("unix_socket_directories", None, ""),
        Setting("password_encryption", None, "scram-sha-256"),
        Setting("max_connections", "200", "200"),
        *memory_settings(memory_bytes),
        Setting("fsync", None, "on"),
        Setting("synchronous_commit", None, "on"),
        Setting("full_page_writes", None, "on"),
        # The observer reads commits from the log, and their times from the server.
        Setting("wal_level", None, "logical"),
        Setting("max_wal_senders", None, "4"),
        Setting("max_replication_slots", None, "4"),
        Setting("track_commit_timestamp", None, "on"),
        Setting("timezone", None, "UTC"),
        Setting("log_timezone", None, "UTC"),
        Setting("log_line_prefix", None, "%m [%p] %u@%d "),
        # A statement in the log could hold what must not be read.
        Setting("log_min_error_statement", None, "panic"),
        Setting("log_parameter_max_length_on_error", None, "0"),
    )


def format_config(settings: tuple[Setting, ...]) -> str:
    """The settings as lines of postgresql.conf."""
    return "".join(f"{item.name} = '{item.applied}'\n" for item in settings)


def _size(size_bytes: int) -> str:
    size_bytes = max(_SMALLEST, size_bytes)
    return f"{size_bytes // GIB}GB" if size_bytes % GIB == 0 else f"{size_bytes // MIB}MB"
