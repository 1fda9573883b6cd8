"""A system of known delay: takes signals from Redis, commits each after a drawn delay, and logs it.

`python -m tests.studies.bench.calibration_system`, a `Known` as JSON on stdin; SIGTERM ends it.
Delays are
log-normal; besides, everything stands still for a while now and then. The log has for every
signal the monotonic time just before COMMIT was handed to libpq and just after its answer was
read: the commit happened between the two, and nothing outside the server can know more.
"""

from __future__ import annotations

import heapq
import math
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import psycopg
import redis
from psycopg import pq
from pydantic import BaseModel, ConfigDict

from harness.clock import NS_PER_MS, NS_PER_S
from harness.contract import trace_id
from harness.contract.codec import decode_signal
from harness.contract.names import Contract
from harness.evidence.records import RecordWriter
from zone_b.pipeline_connection import array

DELAY_MEDIAN_MS = 20.0
DELAY_SIGMA = 0.7
STALL_EVERY_NS = 30 * NS_PER_S
STALL_NS = 2 * NS_PER_S
# The first stall comes this long after `t0_ns`.
STALL_FIRST_NS = 12 * NS_PER_S
_READ_COUNT = 64
_READ_WAIT_MS = 4
_TURN_MAX = 32
_SQL = (
    "PREPARE simulate (uuid) AS UPDATE trade_tasks SET status = 'SIMULATED',"
    " updated_at = clock_timestamp() WHERE trace_id = $1 AND status = 'INIT'"
)
_INIT = (
    "INSERT INTO trade_tasks (id, strategy_id, trace_id)"
    " SELECT gen_random_uuid(), 'known', * FROM unnest(%s::uuid[]) ON CONFLICT DO NOTHING"
)
KNOWN = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("read_ns", "<i8"),
        ("before_ns", "<i8"),
        ("after_ns", "<i8"),
    ]
)


class Known(BaseModel):
    """The task of one process of the system."""

    model_config = ConfigDict(frozen=True)

    redis_url: str
    dsn: str
    contract: Contract
    worker: int
    t0_ns: int
    path: Path


class System:
    """One process: one connection, one commit at a time."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._key = known.contract.key(known.contract.streams.proposals)
        self._group = known.contract.streams.engine_group or ""
        self._field = known.contract.streams.field.encode()
        self._redis = redis.Redis.from_url(known.redis_url)
        self._postgres = psycopg.connect(known.dsn, autocommit=True)
        self._postgres.execute(_SQL.encode())
        self._random = random.Random(known.worker)  # noqa: S311 - delays, no secrets
        self._log = RecordWriter(known.path)
        # (due, read, trace id, entry id)
        self._waiting: list[tuple[int, int, str, bytes]] = []
        self._acks: list[bytes] = []
        self._stopped = False

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler."""
        del number, frame
        self._stopped = True

    def run(self) -> None:
        """Take, wait, commit, until the end is set."""
        while not self._stopped:
            self._stand_still()
            self._commit_due()
            self._read()
        self._log.close()

    def _stand_still(self) -> None:
        into_ns = (time.monotonic_ns() - self._known.t0_ns - STALL_FIRST_NS) % STALL_EVERY_NS
        begun = time.monotonic_ns() >= self._known.t0_ns
        if begun and into_ns < STALL_NS:
            time.sleep((STALL_NS - into_ns) / NS_PER_S)

    def _commit_due(self) -> None:
        records: list[tuple[int, ...]] = []
        while self._waiting and len(records) < _TURN_MAX:
            due_ns, read_ns, trace, entry = self._waiting[0]
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > NS_PER_MS:
                break
            time.sleep(max(0, wait_ns) / NS_PER_S)
            heapq.heappop(self._waiting)
            self._ask(f"BEGIN; EXECUTE simulate('{trace}')")
            before_ns = time.monotonic_ns()
            self._ask("COMMIT")
            after_ns = time.monotonic_ns()
            records.append((*trace_id.parse(trace), read_ns, before_ns, after_ns))
            self._acks.append(entry)
        if records:
            self._log.write(np.array(records, KNOWN).tobytes())

    def _ask(self, statement: str) -> None:
        result = self._postgres.pgconn.exec_(statement.encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise RuntimeError(result.get_error_message())

    def _read(self) -> None:
        wait_ms = _READ_WAIT_MS
        if self._waiting:
            left_ns = self._waiting[0][0] - time.monotonic_ns()
            wait_ms = min(wait_ms, left_ns // NS_PER_MS)
        pipeline = self._redis.pipeline(transaction=False)
        if self._acks:
            pipeline.xack(self._key, self._group, *self._acks)
            self._acks = []
        pipeline.xreadgroup(
            self._group,
            f"known-{self._known.worker}",
            {self._key: ">"},
            count=_READ_COUNT,
            block=wait_ms if wait_ms >= 1 else None,
        )
        found: Any = pipeline.execute()[-1]
        if found:
            self._take(found[0][1])

    def _take(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        now_ns = time.monotonic_ns()
        traces = []
        for entry, fields in entries:
            trace = decode_signal(fields[self._field]).trace_id
            delay_ms = DELAY_MEDIAN_MS * math.exp(self._random.gauss(0, DELAY_SIGMA))
            due_ns = now_ns + round(delay_ms * NS_PER_MS)
            heapq.heappush(self._waiting, (due_ns, now_ns, trace, entry))
            traces.append(trace)
        self._postgres.execute(_INIT, (array(traces),))


def main() -> int:
    """Read what is known, be the system."""
    system = System(Known.model_validate_json(sys.stdin.read()))
    signal.signal(signal.SIGTERM, system.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    system.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
