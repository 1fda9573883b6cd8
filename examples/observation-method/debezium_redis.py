"""Observes SIMULATED in a Redis stream in the format of Debezium Server's Redis sink.

Each entry has a field with the change as JSON: `{"payload": {"op", "after", "source"}}`, or the
payload alone when the schema is disabled. `source.ts_ms` is PostgreSQL's commit time.
"""

from __future__ import annotations

import json
from typing import Any

import redis
from pydantic import BaseModel, ConfigDict, Field

from harness.observe.method import (
    Batch,
    MethodDefinition,
    ObservationContext,
    Sighting,
    SourceLost,
)

ENTRIES_MAX = 1_000
NS_PER_MS = 1_000_000


class Settings(BaseModel):
    """`[seen.settings]` of a contract.

    Attributes:
        stream: key of the stream of the task table.
        id_column: column of the trace id.
        status_column: column of the status.
        field: field of an entry that holds the change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stream: str = Field(min_length=1)
    id_column: str = "trace_id"
    status_column: str = "status"
    field: str = "value"


class DebeziumSource:
    """Reads the stream without a group, so that nothing remains in Redis."""

    def __init__(self, settings: Settings, context: ObservationContext) -> None:
        if context.redis_url is None:
            raise ValueError("the contract has no Redis")
        self._settings = settings
        self._now_ns = context.now_ns
        self._client = redis.Redis.from_url(
            context.redis_url, socket_timeout=2, socket_connect_timeout=2
        )
        self._last_id: bytes | str = "0-0"

    def open(self, position: str) -> None:
        try:
            self._last_id = position or self._newest_id()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise SourceLost(str(error)) from error

    def read(self, timeout_ns: int) -> Batch:
        key, block_ms = self._settings.stream, max(1, timeout_ns // NS_PER_MS)
        try:
            found: Any = self._client.xread({key: self._last_id}, ENTRIES_MAX, block_ms)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise SourceLost(str(error)) from error
        seen_ns = self._now_ns()
        entries = found[0][1] if found else []
        if entries:
            self._last_id = entries[-1][0]
        changes = (self._sighting(fields) for _, fields in entries)
        position = self._last_id if isinstance(self._last_id, str) else self._last_id.decode()
        return Batch(
            [change for change in changes if change is not None],
            seen_ns,
            position,
            is_complete=len(entries) < ENTRIES_MAX,
        )

    def close(self) -> None:
        self._client.close()

    def _newest_id(self) -> bytes | str:
        newest: Any = self._client.xrevrange(self._settings.stream, count=1)
        return newest[0][0] if newest else "0-0"

    def _sighting(self, fields: dict[bytes, bytes]) -> Sighting | None:
        change = json.loads(fields[self._settings.field.encode()])
        payload = change.get("payload", change)
        row = payload.get("after")
        if row is None:  # a deletion
            return None
        commit_us = int(payload.get("source", {}).get("ts_ms", 0)) * 1_000
        trace_id, status = row[self._settings.id_column], row[self._settings.status_column]
        return Sighting(str(trace_id), str(status), commit_us)


METHOD = MethodDefinition(
    settings=Settings,
    make_source=DebeziumSource,
    misses_nothing=True,
    delay_max_ns=1_000 * NS_PER_MS,
    # Debezium rounds down to a whole millisecond, which is a lower bound already.
    commit_error_ns=0,
)
