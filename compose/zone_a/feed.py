"""The chain events of one agent: through a group of its own, or one that agents share.

In a shared group each event goes to one agent. What an agent took and never acknowledged, because
it died, is claimed by another one once it has been pending for so long.
"""

from __future__ import annotations

import time
from typing import Any

from wire import Redis, RedisError

_EVENTS_MAX = 100
_CLAIM_EVERY_S = 0.5

Entry = tuple[bytes, list[bytes]]


class Feed:
    """Reads events and keeps them until they are acknowledged; the connection may be another.

    Args:
        stream: key of the chain events.
        group: its group.
        consumer: its name in the group.
        shared: whether others use the group too.
        claim_after_s: how long an event of another agent may be pending before it is claimed.
        think_s: how long an event is kept before it is acknowledged.
    """

    def __init__(
        self,
        stream: str,
        group: str,
        consumer: str,
        *,
        shared: bool,
        claim_after_s: float,
        think_s: float,
    ) -> None:
        self.claimed = 0
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._shared = shared
        self._claim_after_ms = int(claim_after_s * 1000)
        self._claim_s = 0.0
        self._think_s = think_s
        self._held: list[bytes] = []
        self._until_s = 0.0
        self._after = "0"

    @property
    def wait_s(self) -> float:
        """How long nothing is to be done about the events that are held; 0 when there are none."""
        return max(0.0, self._until_s - time.monotonic()) if self._held else 0.0

    def join(self, redis: Redis) -> None:
        """Make the group, if it is not there."""
        # First what an earlier life took and did not acknowledge.
        self._after, self._held = "0", []
        try:
            redis.command("XGROUP", "CREATE", self._stream, self._group, "$", "MKSTREAM")
        except RedisError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def leave(self, redis: Redis) -> None:
        """Leave in order: no pending entry is left, nor an unused group."""
        self.settle(redis)
        if self._shared:
            redis.command("XGROUP", "DELCONSUMER", self._stream, self._group, self._consumer)
        else:
            redis.command("XGROUP", "DESTROY", self._stream, self._group)

    def take(self, redis: Redis, wait_ms: int) -> list[Entry]:
        """Further events, of which the last have to be settled first; waits for some."""
        entries = self._claim(redis) if self._shared and self._after == ">" else []
        entries = entries or self._read(redis, wait_ms)
        self._held = [one for one, _ in entries]
        self._until_s = time.monotonic() + self._think_s
        return entries

    def settle(self, redis: Redis) -> int:
        """Acknowledge what is held; how many."""
        held, self._held = self._held, []
        return int(redis.command("XACK", self._stream, self._group, *held)) if held else 0

    def _read(self, redis: Redis, wait_ms: int) -> list[Entry]:
        command = ("XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", _EVENTS_MAX)
        block: tuple[str | int, ...] = ("BLOCK", wait_ms) if self._after == ">" else ()
        answer = redis.command(*command, *block, "STREAMS", self._stream, self._after)
        entries = _entries(answer[0][1]) if answer else []
        if not entries:
            self._after = ">"
        return entries

    def _claim(self, redis: Redis) -> list[Entry]:
        """What was pending for too long, of whomever; from the beginning each time."""
        if time.monotonic() < self._claim_s:
            return []
        self._claim_s = time.monotonic() + _CLAIM_EVERY_S
        command = ("XAUTOCLAIM", self._stream, self._group, self._consumer, self._claim_after_ms)
        answer = redis.command(*command, "0", "COUNT", _EVENTS_MAX)
        entries = _entries(answer[1])
        self.claimed += len(entries)
        return entries


def _entries(found: Any) -> list[Entry]:
    """Entries of an answer; of those that were trimmed only the id is left, or (6.2) nothing."""
    return [(entry[0], entry[1] or []) for entry in found or () if entry]
