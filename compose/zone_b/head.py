"""The chain's head, as the chain events report it, and the rule about signals that lag too far."""

from __future__ import annotations

import threading

import redis
from google.protobuf.message import DecodeError

from zone_b import defi_pb2
from zone_b.message import data_of
from zone_b.redis_commands import command, last_entry

_BLOCK_MS = 1_000


def is_stale(head: int, last_sync_block: int, lag_max: int) -> bool:
    """The Sync Sentinel: whether the head is too far past what the agent had seen."""
    return head - last_sync_block > lag_max


class HeadWatcher:
    """Follows the chain events in a thread of its own.

    The last event of the stream counts from the start. While there was never an event, the head
    is 0 and nothing is stale: no event has reported that the chain moved on.

    Args:
        client: used by this object only.
        key: the stream of chain events.
    """

    def __init__(self, client: redis.Redis, key: str) -> None:
        self._client = client
        self._key = key
        self._block = 0
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._after: bytes | str = "0-0"
        last = last_entry(client, key)
        if last is not None:
            self._take(*last)
        self._thread = threading.Thread(target=self._follow, name="head", daemon=True)

    def start(self) -> None:
        """Follow from now on."""
        self._thread.start()

    def block(self) -> int:
        """Height of the head.

        Raises:
            redis.RedisError: the stream cannot be followed any more.
        """
        if self._error is not None:
            raise self._error
        return self._block

    def stop(self) -> None:
        """Let the thread end; it does not keep the process alive."""
        self._stop.set()

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                answer = command(
                    self._client, "XREAD", "COUNT", 100, "BLOCK", _BLOCK_MS,
                    "STREAMS", self._key, self._after,
                )  # fmt: skip
                for _, entries in answer or ():
                    for entry_id, fields in entries:
                        self._take(entry_id, fields)
        except redis.RedisError as error:
            self._error = error

    def _take(self, entry_id: bytes, fields: list[bytes]) -> None:
        self._after = entry_id
        block = read_block(fields)
        if block is not None:
            self._block = block


def read_block(fields: list[bytes]) -> int | None:
    """Block number of a chain event, or None if the entry is none."""
    try:
        return int(defi_pb2.ChainEvent.FromString(data_of(fields)).block_number)
    except (ValueError, DecodeError):
        return None
