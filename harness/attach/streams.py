"""Whether the streams and groups that a contract names are there, before any load is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from harness.contract.names import Contract
from harness.contract.seen import Way
from harness.contract.text import text_of


def stream_problems(client: redis.Redis, contract: Contract) -> list[str]:
    """Everything that a contract names and Redis does not have as it is named.

    Raises:
        redis.ConnectionError: Redis does not answer.
    """
    return [problem for ask in (_signals, _events, _results) for problem in ask(client, contract)]


def _signals(client: redis.Redis, contract: Contract) -> Iterator[str]:
    streams = contract.streams
    key = contract.key(streams.proposals)
    kind = _kind(client, key)
    if kind not in ("stream", "none"):
        yield f"streams.proposals: {key} is a {kind}, not a stream"
    elif streams.engine_group is not None:
        groups: Any = client.xinfo_groups(key) if kind == "stream" else []
        names = [text_of(group["name"]) for group in groups]
        if streams.engine_group not in names:
            there = ", ".join(names) or "none"
            yield (
                f"streams.engine_group: stream {key} has no group {streams.engine_group};"
                f" it has {there}"
            )


def _events(client: redis.Redis, contract: Contract) -> Iterator[str]:
    name = contract.streams.chain_events
    if name is None:
        return
    key = contract.key(name)
    if _kind(client, key) != "stream":
        yield (
            f"streams.chain_events: there is no stream {key};"
            " write false if the system has none, and signals name chain.fixed_block"
        )


def _results(client: redis.Redis, contract: Contract) -> Iterator[str]:
    seen = contract.seen
    if seen.way is Way.STREAM and seen.stream is not None:
        key = contract.key(seen.stream)
        # A system may make it with the first result.
        if (kind := _kind(client, key)) not in ("stream", "none"):
            yield f"seen.stream: {key} is a {kind}, not a stream"


def _kind(client: redis.Redis, key: str) -> str:
    kind: Any = client.type(key)
    return text_of(kind)
