"""Runs that the sending and lateness benchmarks compare: ours, stock Locust, redis-benchmark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from harness.clock import NS_PER_S
from harness.load.swarm import Swarm
from harness.scenario.models import Load, Stage
from tests.stack.swarm_setup import Chain, OwnRedis, journal, lateness_ms, plan_for

AGENTS = 100
BLOCK_TIME_S = 2.0
LOCUSTFILE = Path(__file__).with_name("sending_stock.py")
# Entries of about 200 bytes: without a memo a signal has 211 to 215.
_MEMO_BYTES = 0
# A process that starts late is not what is measured, and others may be using the machine.
_LEAD_NS = 3 * NS_PER_S


@contextmanager
def bench_redis() -> Iterator[OwnRedis]:
    """A Redis with an append-only file, and a chain that advances every 2 s."""
    folder = Path(tempfile.mkdtemp(prefix="harness-bench-"))
    server = OwnRedis(folder)
    try:
        server.start()
        with Chain(server, BLOCK_TIME_S):
            yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class SwarmRun:
    """What one swarm process did.

    Attributes:
        rss: resident bytes by number of signals sent.
    """

    sent: int
    accepted: int
    lateness_ms: NDArray[np.float64]
    rate_per_s: float
    stall_max_ms: float
    cpu_s: float
    rss: dict[int, int]
    tuning: dict[str, str]


def run_swarm(
    server: OwnRedis, rate: float, seconds: float, *, rss_at: tuple[int, ...] = ()
) -> SwarmRun:
    """One swarm process with a hundred agents, Poisson arrival."""
    load = Load(
        warmup_s=0,
        stages=(Stage(agents=AGENTS, rate_from=rate, rate_to=rate, duration_s=seconds),),
    )
    folder = Path(tempfile.mkdtemp(prefix="harness-bench-"))
    plan = plan_for(server, load, folder, lead_ns=_LEAD_NS, memo_bytes=_MEMO_BYTES)
    swarm = Swarm(plan, folder)
    rss: dict[int, int] = {}
    stall_max_ns = 0
    cpu_s = 0.0
    try:
        swarm.start()
        process = psutil.Process(swarm.children[0].pid)
        while not swarm.ended():
            time.sleep(0.1)
            with_sent = swarm.totals().sent
            try:
                rss |= {
                    n: process.memory_info().rss for n in rss_at if n <= with_sent and n not in rss
                }
                cpu_s = sum(process.cpu_times()[:2])
            except psutil.Error:
                pass
            latest = swarm.children[0].latest or {}
            stall_max_ns = max(stall_max_ns, latest.get("stall_max_ns", 0))
        swarm.stop()
        if failure := swarm.failure():
            raise RuntimeError(failure)
        attempts, _ = journal(folder)
        totals = swarm.totals()
        latest = swarm.children[0].latest or {}
        stall_max_ns = max(stall_max_ns, latest.get("stall_max_ns", 0))
        span_s = (attempts["sent_ns"].max() - plan.t0_ns) / 1e9
        return SwarmRun(
            sent=totals.sent,
            accepted=totals.accepted,
            lateness_ms=lateness_ms(attempts),
            rate_per_s=totals.sent / max(span_s, seconds),
            stall_max_ms=stall_max_ns / 1e6,
            cpu_s=cpu_s,
            rss=rss,
            tuning=latest.get("tuning", {}),
        )
    finally:
        swarm.stop()
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class LocustRun:
    """What stock Locust says of itself, and how late its open loop was."""

    requests: int
    rate_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    lateness_ms: NDArray[np.float64]


def run_locust(server: OwnRedis, user: str, rate: float, seconds: float) -> LocustRun:
    """`locust --headless` with a hundred users of this class."""
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        lateness = Path(folder) / "lateness.bin"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), user),
                *("--headless", "-u", str(AGENTS), "-r", str(AGENTS)),
                *("-t", f"{round(seconds) + 2}s", "--json", "--loglevel", "ERROR"),
            ],
            env={
                **os.environ,
                "BENCH_URL": server.url.get_secret_value(),
                "BENCH_RATE": str(rate),
                "BENCH_USERS": str(AGENTS),
                "BENCH_SECONDS": str(seconds),
                "BENCH_LATENESS": str(lateness),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            [row] = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"locust said: {done.stdout[-500:]} {done.stderr[-2000:]}") from None
        late = np.fromfile(lateness, dtype=np.int64) / 1e6
    times = np.array(sorted((float(ms), n) for ms, n in row["response_times"].items()))
    reached = np.cumsum(times[:, 1]) / times[:, 1].sum()
    return LocustRun(
        requests=row["num_requests"],
        rate_per_s=row["num_requests"] / (row["last_request_timestamp"] - row["start_time"]),
        p50_ms=float(times[np.searchsorted(reached, 0.5), 0]),
        p99_ms=float(times[np.searchsorted(reached, 0.99), 0]),
        max_ms=float(row["max_response_time"]),
        lateness_ms=late,
    )


def find_redis_benchmark() -> str | None:
    """`redis-benchmark` from the PATH, or the one that REDIS_BENCHMARK names."""
    return os.environ.get("REDIS_BENCHMARK") or shutil.which("redis-benchmark")


def run_redis_benchmark(
    server: OwnRedis, binary: str, clients: int, pipeline: int, requests: int
) -> float:
    """XADDs of 200 bytes a second."""
    # A password in its arguments would be seen by every user; this server is ours for seconds.
    server.client.config_set("requirepass", "")
    try:
        done = subprocess.run(
            [
                *(binary, "-h", "127.0.0.1", "-p", str(server.port), "--csv"),
                *("-c", str(clients), "-P", str(pipeline), "-n", str(requests)),
                *("XADD", "bench:stream", "MAXLEN", "~", "10000", "*", "data", "x" * 200),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    finally:
        server.client.config_set("requirepass", "throwaway")
    row = done.stdout.strip().splitlines()[-1]
    return float(row.rsplit('","')[1] if row.count('","') else row.split(",")[1])
