"""The proposals stream of Redis and its engine group, read after the drain."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import redis

from harness.contract.names import Contract
from harness.contract.server_text import decode_server_text
from harness.errors import StackError
from harness.redis_connection import key_client

# Pending entries that are listed, the oldest first.
PENDING_MAX = 1_000


def read_redis_facts(url: str, contract: Contract) -> dict[str, Any]:
    """Lengths of the streams, and XINFO of proposals.

    Figures that this version of Redis does not report are None (`entries-added`, `lag` and
    `entries-read` exist since 7.0).

    Raises:
        StackError: Redis does not answer.
    """
    key = contract.key(contract.streams.proposals)
    try:
        with closing(key_client(url, key)) as client:
            info: Any = client.info("server")
            proposals = proposals_facts(client, contract)
        return {
            "version": str(info["redis_version"]),
            "lengths": _lengths(url, contract),
            "proposals": proposals,
        }
    except (redis.RedisError, OSError) as error:
        raise StackError(
            f"the final state cannot be read: {error}",
            where="redis",
            hint="is Redis up, and does its URL hold the password?",
        ) from error


def _lengths(url: str, contract: Contract) -> dict[str, int]:
    """Length of each stream by name; of a cluster, each from the node that serves it."""
    streams = contract.streams
    found: dict[str, int] = {}
    for name in (streams.proposals, streams.chain_events, streams.accounting):
        if name is not None:
            key = contract.key(name)
            with closing(key_client(url, key)) as client:
                found[name] = int(client.xlen(key))
    return found


def proposals_facts(client: redis.Redis, contract: Contract) -> dict[str, Any] | None:
    """The proposals stream with its engine group; None where there is no such stream.

    Args:
        client: of the server that serves the stream.
        contract: names of stream and group.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    key = contract.key(contract.streams.proposals)
    if not client.exists(key):
        return None
    stream: Any = client.xinfo_stream(key)
    groups: Any = client.xinfo_groups(key)
    group = group_facts(groups, contract)
    if group is not None:
        pending: Any = client.xpending_range(key, group["name"], "-", "+", PENDING_MAX)
        group["pending_ids"] = [_text(entry["message_id"]) for entry in pending]
    return stream_facts(stream) | {"engine_group": group}


def stream_facts(stream: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of XINFO STREAM that the judge needs; no payloads."""
    return {
        "length": int(stream["length"]),
        "entries_added": stream.get("entries-added"),
        "first_id": _entry_id(stream.get("first-entry")),
        "newest_id": _entry_id(stream.get("last-entry")),
        "last_id": _text(stream.get("last-generated-id")),
    }


def group_facts(groups: list[Mapping[str, Any]], contract: Contract) -> dict[str, Any] | None:
    """The engine's group in XINFO GROUPS; None if it is missing, or the contract names none."""
    for group in groups:
        if _text(group["name"]) == contract.streams.engine_group:
            return {
                "name": contract.streams.engine_group,
                "consumers": int(group["consumers"]),
                "pending": int(group["pending"]),
                "last_delivered_id": _text(group["last-delivered-id"]),
                "lag": group.get("lag"),
                "entries_read": group.get("entries-read"),
            }
    return None


def _entry_id(entry: Any) -> str | None:
    return _text(entry[0]) if entry else None


def _text(value: Any) -> str | None:
    return (
        None
        if value is None
        else decode_server_text(value if isinstance(value, bytes) else str(value))
    )
