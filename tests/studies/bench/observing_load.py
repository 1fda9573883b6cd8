"""Commits as the reference engine does, on a schedule or as fast as it goes, and writes down when.

`python -m tests.studies.bench.observing_load`, an `Orders` as JSON on stdin. The statements are the
engine's own; only Redis and the simulation are left out.
"""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.clock import NS_PER_S
from harness.contract import trace_id
from harness.contract.address import address_text
from harness.evidence.records import RecordWriter
from zone_b import statements
from zone_b.pipeline_connection import PipelineConnection, array

AGENTS = 50
BATCH_MAX = 32
# What one signal's commit took: `queued_ns` just before its transaction was handed to libpq,
# `done_ns` just after the answer to its COMMIT was read.
COMMITTED = np.dtype(
    [
        ("trace_hi", "<u8"),
        ("trace_lo", "<u8"),
        ("intended_ns", "<i8"),
        ("queued_ns", "<i8"),
        ("done_ns", "<i8"),
    ]
)


class Orders(BaseModel):
    """The task of a load process; `rate_per_s` of 0 means as fast as it goes."""

    model_config = ConfigDict(frozen=True)

    dsn: str
    run_tag: int
    worker: int
    workers: int
    rate_per_s: float
    t0_ns: int
    duration_s: float
    path: Path


class Load:
    """One worker's connection, schedule and log."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._end_ns = orders.t0_ns + round(orders.duration_s * NS_PER_S)
        self._pipe = PipelineConnection(orders.dsn, statements.ALL, statements.OPTIONS)
        self._log = RecordWriter(orders.path)
        self._next = 0
        # Workers share no address, so that none waits for another's lock.
        self._agents = range(orders.worker, AGENTS, orders.workers)
        addresses = [address_text(orders.run_tag, agent) for agent in self._agents]
        self._pipe.run("open_nonces", [array(addresses), array(["1"] * len(addresses))])

    def run(self) -> None:
        """Commit until the time is over."""
        while (now_ns := time.monotonic_ns()) < self._orders.t0_ns:
            time.sleep((self._orders.t0_ns - now_ns) / NS_PER_S)
        while (now_ns := time.monotonic_ns()) < self._end_ns:
            batch = self._due(now_ns)
            if batch:
                self._commit(batch)
            else:
                time.sleep(max(0, self._intended_ns(self._next) - now_ns) / NS_PER_S)
        self._pipe.close()
        self._log.close()

    def _intended_ns(self, index: int) -> int:
        orders = self._orders
        place = index * orders.workers + orders.worker
        return orders.t0_ns + round(place * NS_PER_S / orders.rate_per_s)

    def _due(self, now_ns: int) -> list[tuple[int, int]]:
        """Number and intended time of the signals whose time has come."""
        batch: list[tuple[int, int]] = []
        while len(batch) < BATCH_MAX:
            intended_ns = self._intended_ns(self._next) if self._orders.rate_per_s else now_ns
            if intended_ns > now_ns:
                break
            batch.append((self._next, intended_ns))
            self._next += 1
        return batch

    def _commit(self, batch: list[tuple[int, int]]) -> None:
        tag, pipe = self._orders.run_tag, self._pipe
        named = []
        for index, intended_ns in batch:
            agent = self._agents[index % len(self._agents)]
            named.append(
                (trace_id.pack(tag, agent, index // len(self._agents)), agent, intended_ns)
            )
        traces = [trace_id.text(*key) for key, _, _ in named]
        ids = array([str(uuid.uuid4()) for _ in named])
        pipe.queue("init", [ids, array(["bench"] * len(named)), array(traces)])
        pipe.sync()
        pipe.fetch()
        queued = []
        for trace, (_, agent, _) in zip(traces, named, strict=True):
            address = address_text(tag, agent)
            entries = [
                value
                for kind in ("TRADE", "GAS_FEE", "PROTOCOL_FEE")
                for value in ("1", "2", "1000000000000000000", kind)
            ]
            worker = f"bench-{self._orders.worker}"
            pipe.queue("lock_nonce", [address, "1"])
            pipe.queue("commit_trade", [address, "1", str(uuid.uuid4()), trace, worker, *entries])
            queued.append(time.monotonic_ns())
            pipe.sync()
        records = np.zeros(len(named), COMMITTED)
        units = pipe.fetch()
        for at, (key, _, intended_ns) in enumerate(named):
            if units[at].rows[1]:  # without a row it had no effect
                records[at] = (*key, intended_ns, queued[at], units[at].done_ns)
        self._log.write(records[records["done_ns"] > 0].tobytes())


def main() -> int:
    """Read the orders, follow them."""
    Load(Orders.model_validate_json(sys.stdin.read())).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
