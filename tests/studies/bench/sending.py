"""How many signals a second one swarm process sends on schedule, against other senders.

All on the same machine in the same run, entries of about 200 bytes, trimmed alike.
"""

from __future__ import annotations

import sys

import numpy as np

from tests.stack.swarm_setup import OwnRedis
from tests.studies.bench.sending_runs import (
    AGENTS,
    SwarmRun,
    bench_redis,
    find_redis_benchmark,
    run_locust,
    run_redis_benchmark,
    run_swarm,
)

# On schedule: this share of signals is late by less than the limit.
RANK = 99.0
LATE_MAX_MS = 5.0
RATES = tuple(range(30_000, 90_001, 10_000))
LOW_RATES = (20_000, 10_000, 5_000)
SECONDS = 4.0
# The stock user is to be beaten by at least so much.
STOCK_MIN = 3.0
MEMORY_RATE = 30_000.0
MEMORY_AT = (100_000, 1_000_000)
# Memory after a million signals against memory after a hundred thousand.
MEMORY_MAX = 1.1


def on_schedule(run: SwarmRun) -> bool:
    """Whether the run kept its schedule and lost nothing."""
    late = float(np.percentile(run.lateness_ms, RANK))
    return late <= LATE_MAX_MS and run.accepted == run.sent


def highest_rate(server: OwnRedis) -> float:
    """The highest rate that is kept: upwards until one is missed, else downwards."""
    best = 0.0
    for rate in RATES:
        kept = tried(server, rate)
        if not kept:
            break
        best = kept
    for rate in LOW_RATES if best == 0 else ():
        best = tried(server, rate)
        if best:
            break
    return best


def tried(server: OwnRedis, rate: int) -> float:
    """Signals/s that were sent, or 0: tried twice, since other programs run here as well."""
    for _ in range(2):
        run = run_swarm(server, rate, SECONDS)
        p99, p999 = np.percentile(run.lateness_ms, [99, 99.9])
        kept = on_schedule(run)
        print(
            f"  {rate:6} asked {run.rate_per_s:9.0f} sent/s  P99 {p99:7.2f} ms"
            f"  P99.9 {p999:7.2f} ms  {'kept' if kept else 'missed'}",
            flush=True,
        )
        if kept:
            return run.rate_per_s
    return 0.0


def memory(server: OwnRedis) -> float:
    """Memory after the later mark over memory after the earlier one."""
    run = run_swarm(server, MEMORY_RATE, MEMORY_AT[-1] / MEMORY_RATE + 1, rss_at=MEMORY_AT)
    first, last = (run.rss[mark] for mark in MEMORY_AT)
    print(
        f"memory of the process: {first / 1e6:.1f} MB after {MEMORY_AT[0]:,} signals,"
        f" {last / 1e6:.1f} MB after {MEMORY_AT[1]:,}: {last / first:.3f} times"
    )
    return last / first


def main() -> int:
    """Print the rates and their ratios; 1 when what was asked for is not reached."""
    with bench_redis() as server:
        print(f"Redis {server.binary.version}, entries of 200 bytes, {AGENTS} agents")
        ours = highest_rate(server)
        stock = run_locust(server, "PushingUser", 1, 10).rate_per_s
        print(f"swarm, one process, P99 late <= {LATE_MAX_MS:.0f} ms: {ours:9.0f} signals/s")
        print(
            f"stock Locust + redis-py, 100 users:    {stock:9.0f}/s"
            f"  swarm is {ours / stock:.1f} times that"
        )
        compare_with_redis_benchmark(server, ours)
        grown = memory(server)
    return 0 if ours >= STOCK_MIN * stock and grown <= MEMORY_MAX else 1


def compare_with_redis_benchmark(server: OwnRedis, ours: float) -> None:
    """Print what redis-benchmark reaches, or why that is not known."""
    binary = find_redis_benchmark()
    if binary is None:
        print("redis-benchmark: not on the PATH (Debian: redis-tools), so not compared")
        return
    for clients, pipeline, requests in ((1, 1, 50_000), (50, 1, 300_000), (50, 16, 1_000_000)):
        rate = run_redis_benchmark(server, binary, clients, pipeline, requests)
        name = f"redis-benchmark -c {clients} -P {pipeline}:"
        print(f"{name:38} {rate:9.0f}/s  swarm is {ours / rate:.2f} times that", flush=True)


if __name__ == "__main__":
    sys.exit(main())
