"""A stock Locust `User` that measures itself, as many a load test does.

`locust -f tests/studies/bench/calibration_locust.py --headless ...`: each user pushes a signal,
polls the
FSM row until it is SIMULATED, and reports the time between as its response time; then it waits
for its next turn by `constant_throughput`. Besides, and only for the comparison, it writes down
when it sent each signal.
"""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import psycopg
import redis
from locust import User, constant_throughput, events, task

from harness.contract import trace_id
from harness.contract.address import address_text
from harness.contract.codec import Signal, encode_signal
from harness.contract.names import Contract

# Passwords come by the environment: Locust has no pipe for them.
CONFIG = json.loads(os.environ.get("CALIBRATION_LOCUST", "{}"))
CONTRACT = Contract()
KEY = CONTRACT.key(CONTRACT.streams.proposals)
POLL_S = 0.01
_SENT = struct.Struct("<QQq")
_STATUS = "SELECT status = 'SIMULATED' FROM trade_tasks WHERE trace_id = %s"
_numbers = iter(range(1 << 12))


class Agent(User):
    """Pushes, polls, reports."""

    wait_time = constant_throughput(float(CONFIG.get("throughput_per_s", 1)))

    def on_start(self) -> None:
        """Connect."""
        self.number = next(_numbers)
        self.index = 0
        self.redis = redis.Redis.from_url(CONFIG["redis_url"])
        self.postgres = psycopg.connect(CONFIG["dsn"], autocommit=True)
        path = Path(CONFIG["folder"], f"locust-{self.number}.bin")
        self.log = path.open("wb")

    def on_stop(self) -> None:
        """Hang up."""
        self.log.close()
        self.postgres.close()
        self.redis.close()

    @task
    def trade(self) -> None:
        """One signal, from XADD to SIMULATED."""
        key = trace_id.pack(CONFIG["run_tag"], self.number, self.index)
        self.index += 1
        trace = trace_id.text(*key)
        data = encode_signal(_signal(trace, self.number))
        self.log.write(_SENT.pack(*key, time.monotonic_ns()))
        begin = time.perf_counter()
        self.redis.xadd(KEY, {CONTRACT.streams.field: data})
        while not self._is_simulated(trace):
            time.sleep(POLL_S)
        self.environment.events.request.fire(
            request_type="signal",
            name="SIMULATED",
            response_time=(time.perf_counter() - begin) * 1000,
            response_length=0,
            exception=None,
            context={},
        )

    def _is_simulated(self, trace: str) -> bool:
        row = self.postgres.execute(_STATUS, (trace,)).fetchone()
        return row is not None and bool(row[0])


def _signal(trace: str, number: int) -> Signal:
    return Signal(
        trace_id=trace,
        agent_id=f"locust-{number}",
        strategy_id="s",
        last_sync_block=0,
        timestamp_ms=time.time_ns() // 1_000_000,
        address=address_text(CONFIG["run_tag"], number),
        chain_id=1,
        amount_in=1,
        capital=100,
        staged=False,
        max_slippage_bps=100,
        memo=b"",
    )


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # Locust publishes no types
def _report(environment: Any, **_: Any) -> None:
    total = environment.stats.total
    percentiles = [total.get_response_time_percentile(share) for share in (0.5, 0.99, 0.999)]
    document = {
        "requests": total.num_requests,
        "ms": [*percentiles, total.max_response_time],
    }
    Path(CONFIG["folder"], "locust.json").write_text(json.dumps(document), encoding="utf-8")
