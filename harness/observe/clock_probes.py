"""Probes of the servers' clocks, which map their stamps onto the host's monotonic clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

from harness.clock import NS_PER_S, Clock
from harness.observe.connection import connect
from harness.redis_connection import is_cluster, key_client

PROBE_EVERY_NS = 5 * NS_PER_S
POSITION_EVERY_NS = NS_PER_S
_ASKS = 5
_TIMEOUT_S = 2

AskTime = Callable[[], int]


@dataclass(frozen=True, slots=True)
class ClockProbe:
    """A server's clock and the host's at one moment, with an error of at most half of `rtt_ns`.

    Attributes:
        server: "postgres" or "redis".
        mono_ns: monotonic time in the middle between request and answer.
        server_us: the server's Unix time in microseconds.
        rtt_ns: round-trip time.
    """

    server: str
    mono_ns: int
    server_us: int
    rtt_ns: int


def probe(server: str, ask_us: AskTime, clock: Clock, asks: int = _ASKS) -> ClockProbe:
    """Ask several times and keep the answer with the shortest round trip.

    Errors of `ask_us` propagate.
    """
    best: ClockProbe | None = None
    for _ in range(max(1, asks)):
        before_ns = clock.now_ns()
        server_us = ask_us()
        rtt_ns = clock.now_ns() - before_ns
        if best is None or rtt_ns < best.rtt_ns:
            best = ClockProbe(server, before_ns + rtt_ns // 2, server_us, rtt_ns)
    assert best is not None  # noqa: S101 - the loop ran at least once
    return best


class PostgresClock:
    """A connection for the server's clock and WAL position; each request reconnects if needed."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[Any] | None = None

    def time_us(self) -> int:
        """Unix time in microseconds."""
        return self._number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")

    def flushed_lsn(self) -> int:
        """WAL position up to which everything is on disk."""
        # A standby writes no log of its own; what it has replayed is visible.
        return self._number(
            "SELECT ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
            " ELSE pg_current_wal_flush_lsn() END) - '0/0'::pg_lsn)::bigint"
        )

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _number(self, query: str) -> int:
        if self._connection is None:
            self._connection = connect(
                self._conninfo,
                autocommit=True,
                application_name="harness_observer_clock",
                connect_timeout=_TIMEOUT_S,
                options=f"-c statement_timeout={_TIMEOUT_S}s",
                prepare_threshold=0,
            )
        try:
            row = self._connection.execute(query.encode()).fetchone()
        except psycopg.Error:
            self.close()
            raise
        return int(row[0]) if row else 0


class ClockProber(threading.Thread):
    """Probes both clocks into `clock.jsonl` every 5 s, in a thread of its own.

    A server that does not answer is left out until it does.

    Args:
        conninfo: PostgreSQL.
        redis_url: None: only PostgreSQL is probed.
        key: the stream whose ids are compared; of a cluster the node that serves it is asked.
        path: the file.
        clock: monotonic time.

    Attributes:
        flushed_lsn: the server's WAL position at the newest request.
    """

    def __init__(
        self, conninfo: str, redis_url: str | None, key: str, path: Path, clock: Clock
    ) -> None:
        super().__init__(name="prober", daemon=True)
        self._postgres = PostgresClock(conninfo)
        self._redis_url = redis_url
        self._key = key
        self._redis: redis.Redis | None = None
        self._path = path
        self._clock = clock
        self._ended = threading.Event()
        self.flushed_lsn = 0

    def run(self) -> None:
        due_ns = 0
        while not self._ended.is_set():
            now_ns = self._clock.now_ns()
            if now_ns >= due_ns:
                self.probe_all()
                due_ns = now_ns + PROBE_EVERY_NS
            self._ask_position()
            self._ended.wait(POSITION_EVERY_NS / NS_PER_S)
        self.probe_all()
        self._postgres.close()
        self._close_redis()

    def end(self, timeout_s: float) -> None:
        """Probe once more and end, within `timeout_s`."""
        self._ended.set()
        if self.is_alive():
            self.join(timeout_s)

    def probe_all(self) -> None:
        """One probe of each server that answers."""
        lines = [json.dumps(asdict(found)) for found in self._probes()]
        # On a full disk the observing thread ends the run; the judge reports missing probes.
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def _probes(self) -> list[ClockProbe]:
        found = []
        try:
            found.append(probe("postgres", self._postgres.time_us, self._clock))
        except psycopg.Error:
            self._postgres.close()
        if self._redis_url is not None:
            try:
                found.append(self._probe_redis(self._redis_url))
            except (redis.RedisError, OSError):
                self._close_redis()
        return found

    def _probe_redis(self, url: str) -> ClockProbe:
        if is_cluster(url):  # another node may serve the stream by now, and TIME is not redirected
            self._close_redis()
        client = self._redis = self._redis or key_client(url, self._key)

        def time_us() -> int:
            seconds, microseconds = client.time()
            return int(seconds) * 1_000_000 + int(microseconds)

        return probe("redis", time_us, self._clock)

    def _close_redis(self) -> None:
        client, self._redis = self._redis, None
        if client is not None:
            client.close()

    def _ask_position(self) -> None:
        try:
            self.flushed_lsn = self._postgres.flushed_lsn()
        except psycopg.Error:
            self._postgres.close()
