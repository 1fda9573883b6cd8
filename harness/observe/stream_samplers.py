"""Samplers of Redis streams while a run is under way; afterwards Redis has no trace of the facts.

Entries of the proposals stream that were trimmed before they were read can only be detected while
it happens. Which agent claimed the entries of another is forgotten once they are acknowledged. Two
XINFO in one transaction, four times a second, cost Redis about 50 us each time, one XPENDING 20 us.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import AskError, ClusterError

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.contract.names import Contract
from harness.observe.redis_facts import group_facts, stream_facts
from harness.redis_connection import key_client

EVERY_NS = 250 * NS_PER_MS
# Pending events listed per sample, the oldest first.
PENDING_MAX = 1_000


class ProposalsSampler(threading.Thread):
    """Writes `redis.jsonl`. A Redis that does not answer leaves a gap.

    Args:
        url: Redis, with password.
        contract: names of stream and group.
        path: the file.
        clock: monotonic time.

    Attributes:
        samples: lines written.
        failure: why no more could be written; empty if they could.
    """

    def __init__(self, url: str, contract: Contract, path: Path, clock: Clock) -> None:
        super().__init__(name="stream-watch", daemon=True)
        self.samples = 0
        self.failure = ""
        self._url = url
        self._client: redis.Redis | None = None
        self._contract = contract
        self._key = contract.key(contract.streams.proposals)
        self._path = path
        self._clock = clock
        self._ended = threading.Event()

    def run(self) -> None:
        while not self.failure and not self._ended.wait(EVERY_NS / NS_PER_S):
            self.poll()
        self.poll()
        self._close()

    def end(self, timeout_s: float) -> None:
        """Sample once more and end, within `timeout_s`."""
        self._ended.set()
        if self.is_alive():
            self.join(timeout_s)

    def poll(self) -> None:
        """Write one line, if Redis answers."""
        try:
            if self._client is None:
                self._client = key_client(self._url, self._key)
            found = self._ask(self._client)
        except (redis.RedisError, OSError):  # also: the slot of the stream has moved
            self._close()
            return
        line = json.dumps({"mono_ns": self._clock.now_ns(), **found}, separators=(",", ":"))
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            self.failure = f"{self._path.name}: {error.strerror or error}"
            return
        self.samples += 1

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, client: redis.Redis) -> dict[str, Any]:
        # In one transaction: a trim between the two would appear as one of unread entries.
        with client.pipeline(transaction=True) as pipe:
            pipe.xinfo_stream(self._key)
            pipe.xinfo_groups(self._key)
            stream, groups = pipe.execute(raise_on_error=False)
        if isinstance(stream, redis.ResponseError):  # there is no such stream (yet)
            return sample_of(None, [], self._contract)
        return sample_of(stream, groups, self._contract)


def sample_of(
    stream: Mapping[str, Any] | None, groups: list[Mapping[str, Any]], contract: Contract
) -> dict[str, Any]:
    """The content of a line.

    Args:
        stream: answer to XINFO STREAM; None without a stream.
        groups: answer to XINFO GROUPS.
        contract: name of the engine's group.
    """
    if stream is None:
        return {"stream": None, "group": None}
    return {"stream": stream_facts(stream), "group": group_facts(groups, contract)}


class PendingSampler(ProposalsSampler):
    """Writes `pool.jsonl`: the pending entries of the group that agents share, by consumer.

    Args:
        url: Redis, with password.
        contract: names of stream and group.
        path: the file.
        clock: monotonic time.
    """

    def __init__(self, url: str, contract: Contract, path: Path, clock: Clock) -> None:
        super().__init__(url, contract, path, clock)
        self.name = "pool-watch"
        self._key = contract.key(contract.streams.chain_events or "")
        self._group = contract.streams.agents_group

    def _ask(self, client: redis.Redis) -> dict[str, Any]:
        try:
            found: Any = client.xpending_range(self._key, self._group, "-", "+", PENDING_MAX)
        except (AskError, ClusterError):  # another node serves the stream, or none
            raise
        except redis.ResponseError:  # there is no such stream or group (yet)
            return {"pending": None}
        return pending_of(found)


def pending_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of a line: ids by consumer, in order.

    Args:
        found: answer to XPENDING with a range.
    """
    pending: dict[str, list[str]] = {}
    for entry in found:
        pending.setdefault(_text(entry["consumer"]), []).append(_text(entry["message_id"]))
    return {"pending": pending, "whole": len(found) < PENDING_MAX}


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
