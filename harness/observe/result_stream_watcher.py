"""Observing SIMULATED in a Redis stream of results that the system writes: a self-report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.exceptions import AskError, ClusterError

from harness.clock import NS_PER_MS, Clock
from harness.contract.names import Contract
from harness.errors import StackError, UsageError
from harness.observe.decoder import RowVersion
from harness.observe.plan import ObserverPlan
from harness.observe.status_reports import StatusReportParser
from harness.observe.watcher import Versions, WatcherLost
from harness.redis_connection import key_client

_ENTRIES_MAX = 1_000
# Of a cluster also: another node serves the stream, or none does for now.
_LOST = (redis.ConnectionError, redis.TimeoutError, AskError, ClusterError, OSError)


class ResultStreamWatcher:
    """Reads a stream from its end at the start; without a group, so that nothing remains.

    Args:
        url: Redis, with its password.
        contract: key, form of an entry and statuses.
        clock: monotonic time.
    """

    def __init__(self, url: str, contract: Contract, clock: Clock) -> None:
        self._url = url
        self._client: redis.Redis | None = None
        self._key = contract.key(contract.seen.stream or "")
        self._reader = StatusReportParser(contract)
        self._clock = clock
        self._last_id: bytes | None = None
        self._empty_polls = 0
        self._asked: tuple[int, int] = (-1, 0)
        self.seen_ns = 0
        self.covered_ns = 0
        self.received_lsn = 0

    @property
    def unreadable(self) -> int:
        return self._reader.unreadable

    def open(self, deadline_ns: int) -> None:
        del deadline_ns  # the client waits two seconds at most
        self.close()
        try:
            client = self._client = key_client(self._url, self._key)
            client.ping()
            # After a lost connection it continues at its position.
            if self._last_id is None:
                self.covered_ns = self._clock.now_ns()
                self._last_id = self._newest_id(client)
        except _LOST as error:
            raise WatcherLost(str(error)) from error
        except redis.RedisError as error:
            raise StackError(
                f"Redis refused: {error}",
                where="observer",
                hint=f"{self._key} must be a stream that the contract's user may read",
            ) from error

    def poll(self, timeout_ns: int) -> Versions:
        assert self._client is not None  # noqa: S101 - open() comes first
        begin_ns = self._clock.now_ns()
        try:
            streams: Any = self._client.xread(
                {self._key: self._last_id or b"$"},
                count=_ENTRIES_MAX,
                block=max(1, timeout_ns // NS_PER_MS),
            )
        except redis.RedisError as error:
            raise WatcherLost(str(error)) from error
        self.seen_ns = self._clock.now_ns()
        entries = streams[0][1] if streams else []
        if len(entries) < _ENTRIES_MAX:  # a full answer may not have been all
            self.covered_ns = begin_ns
        self._empty_polls += not entries
        return self._versions(entries)

    def has_all(self, lsn: int) -> bool:
        if lsn != self._asked[0]:
            self._asked = (lsn, self._empty_polls)
        return self._empty_polls > self._asked[1]

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _versions(self, entries: list[tuple[bytes, Mapping[bytes, bytes]]]) -> list[RowVersion]:
        found = []
        for entry_id, fields in entries:
            self._last_id = entry_id
            version = self._reader.from_fields(fields or {})
            if version is not None:
                found.append(version)
        return found

    def _newest_id(self, client: redis.Redis) -> bytes:
        if not client.exists(self._key):
            return b"0-0"
        facts: Any = client.xinfo_stream(self._key)
        newest: bytes = facts["last-generated-id"]
        return newest


def make_watcher(plan: ObserverPlan, clock: Clock) -> ResultStreamWatcher:
    """The watcher of a plan.

    Raises:
        UsageError: the plan has no Redis.
    """
    if plan.redis_url is None:
        raise UsageError("a stream of results needs the URL of its Redis", where="redis_url")
    return ResultStreamWatcher(plan.redis_url.get_secret_value(), plan.contract, clock)
