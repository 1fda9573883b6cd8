"""The engine's side of Redis: entries of the consumer group: read, claimed, acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from zone_b.redis_commands import command

GROUP = "cg:engine"

_CLAIM_COUNT = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A stream entry.

    Attributes:
        fields: names and values in turn; None if the entry was trimmed before it was read.
    """

    entry_id: bytes
    fields: list[bytes] | None


class Source:
    """One consumer of the group.

    Args:
        client: used by this object only.
        key: the stream.
        consumer: this consumer's name.
    """

    def __init__(self, client: redis.Redis, key: str, consumer: str) -> None:
        self._client = client
        self._key = key
        self._consumer = consumer

    def ensure_group(self) -> None:
        """Create stream and group unless they are there; the group begins with the first entry."""
        try:
            self._client.xgroup_create(self._key, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read(self, count: int, block_ms: int) -> list[Entry]:
        """New entries, at most `count`; none after `block_ms`."""
        return self._read(">", count, block_ms)

    def take_over(self, idle_min_ms: int) -> int:
        """Make this consumer the owner of all entries that were idle for so long.

        Returns:
            How many of them the server dropped because they had been trimmed from the stream;
            servers before version 7 leave those to be read.
        """
        trimmed = 0
        cursor: bytes | str = "0-0"
        while True:
            answer = command(
                self._client, "XAUTOCLAIM", self._key, GROUP, self._consumer, idle_min_ms, cursor,
                "COUNT", _CLAIM_COUNT, "JUSTID",
            )  # fmt: skip
            cursor = answer[0]
            trimmed += len(answer[2]) if len(answer) > 2 else 0
            if cursor == b"0-0":
                return trimmed

    def read_own(self, after: bytes, count: int) -> list[Entry]:
        """Entries that this consumer owns and has not acknowledged, after `after`."""
        return self._read(after, count, None)

    def acknowledge(self, entry_ids: list[bytes]) -> None:
        """Acknowledge these entries."""
        if entry_ids:
            command(self._client, "XACK", self._key, GROUP, *entry_ids)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _read(self, after: str | bytes, count: int, block_ms: int | None) -> list[Entry]:
        block = () if block_ms is None else ("BLOCK", block_ms)
        answer = command(
            self._client, "XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, *block,
            "STREAMS", self._key, after,
        )  # fmt: skip
        if not answer:
            return []
        return [Entry(entry_id, fields) for entry_id, fields in answer[0][1]]
