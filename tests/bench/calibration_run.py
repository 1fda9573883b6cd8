"""The processes of a calibration: system of known delay, observer, swarm; then Locust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis
from pydantic import SecretStr

from harness.clock import NS_PER_MS, NS_PER_S, SystemClock
from harness.contract import trace_id
from harness.contract.names import Contract
from harness.errors import StackError
from harness.load.plan import SwarmPlan
from harness.observe.live import LiveFigures
from harness.observe.observer import Observer
from harness.observe.plan import ObserverPlan
from harness.process.child import ChildProcess
from harness.scenario.models import Load, Signals, Stage
from tests.bench.calibration_system import Known
from tests.bench.observing_servers import BenchServers

AGENTS = 100
USERS = 50
SYSTEM_WORKERS = 3
CONTRACT = Contract()
_LEAD_NS = 5 * NS_PER_S
_DRAIN_S = 20
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Where the evidence of one rate lies."""

    folder: Path
    run_tag: int
    locust_tag: int
    t0_ns: int
    swarm_lateness_max_ns: int


def calibrate(
    servers: BenchServers, folder: Path, rate: float, duration_s: float, *, locust: bool
) -> Calibrated:
    """Run one rate: the harness against the known system, then Locust against the same."""
    run_tag = trace_id.new_run_tag()
    (folder / "journal").mkdir()
    t0_ns = _CLOCK.now_ns() + _LEAD_NS
    plan = ObserverPlan(
        observer_dsn=SecretStr(servers.observer_dsn),
        redis_url=SecretStr(servers.redis_url),
        run_tag=run_tag,
        folder=folder,
    )
    observer = Observer(plan, _CLOCK)
    with _system(servers, folder, t0_ns):
        try:
            observer.start()
            lateness_ns = _swarm(servers, folder, run_tag, rate, duration_s, t0_ns)
            _drain(folder, run_tag)
        finally:
            observer.stop()
        failure = observer.failure()
        if failure:
            raise StackError(failure)
        if locust:
            _locust(servers, folder, run_tag ^ 1, rate, duration_s)
    return Calibrated(folder, run_tag, run_tag ^ 1, t0_ns, lateness_ns)


@contextmanager
def _system(servers: BenchServers, folder: Path, t0_ns: int) -> Iterator[None]:
    client = redis.Redis.from_url(servers.redis_url)
    key = CONTRACT.key(CONTRACT.streams.proposals)
    client.delete(key)
    client.xgroup_create(key, CONTRACT.streams.engine_group, id="0", mkstream=True)
    client.close()
    processes = [_worker(servers, folder, t0_ns, worker) for worker in range(SYSTEM_WORKERS)]
    try:
        yield
        if any(process.poll() is not None for process in processes):
            raise StackError("a process of the known system ended early")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def _worker(servers: BenchServers, folder: Path, t0_ns: int, worker: int) -> subprocess.Popen[str]:
    known = Known(
        redis_url=servers.redis_url,
        dsn=servers.owner_dsn,
        contract=CONTRACT,
        worker=worker,
        t0_ns=t0_ns,
        path=folder / f"known-{worker}.bin",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.calibration_system"], stdin=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(known.model_dump_json())
    process.stdin.close()
    return process


def _swarm(
    servers: BenchServers, folder: Path, run_tag: int, rate: float, duration_s: float, t0_ns: int
) -> int:
    stage = Stage(agents=AGENTS, rate_from=rate, rate_to=rate, duration_s=duration_s)
    plan = SwarmPlan(
        run_tag=run_tag,
        seed=1,
        t0_ns=t0_ns,
        load=Load(warmup_s=0, stages=(stage,)),
        signals=Signals(),
        contract=CONTRACT,
        redis_url=SecretStr(servers.redis_url),
        folder=folder / "journal",
    )
    swarm = ChildProcess("harness.load.worker", plan.to_stdin(), folder / "swarm.log", "swarm")
    swarm.start()
    lateness_ns = 0
    deadline_ns = t0_ns + round((duration_s + _DRAIN_S) * NS_PER_S)
    try:
        while swarm.poll() is None and _CLOCK.now_ns() < deadline_ns:
            _CLOCK.sleep_ns(200 * NS_PER_MS)
            for status in swarm.statuses():
                lateness_ns = max(lateness_ns, int(status.get("lateness_max_ns", 0)))
    finally:
        code = swarm.stop(5)
    if code != 0:
        raise StackError(f"the swarm ended with {code}\n{swarm.log_tail()}\n{swarm.latest}")
    return lateness_ns


def _drain(folder: Path, run_tag: int) -> None:
    live = LiveFigures(folder, run_tag)
    deadline_ns = _CLOCK.now_ns() + _DRAIN_S * NS_PER_S
    while True:
        live.update()
        if live.backlog == 0 or _CLOCK.now_ns() > deadline_ns:
            return
        _CLOCK.sleep_ns(100 * NS_PER_MS)


def _locust(
    servers: BenchServers, folder: Path, run_tag: int, rate: float, duration_s: float
) -> None:
    config = {
        "redis_url": servers.redis_url,
        "dsn": servers.owner_dsn,
        "run_tag": run_tag,
        "throughput_per_s": rate / USERS,
        "folder": str(folder),
    }
    arguments = ["-u", str(USERS), "-r", str(USERS), "-t", f"{duration_s:.0f}s", "-s", "5"]
    file = str(Path(__file__).with_name("calibration_locust.py"))
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", file, "--headless", *arguments],
            env={**os.environ, "CALIBRATION_LOCUST": json.dumps(config)},
            stdout=log,
            stderr=log,
        )
        try:
            process.wait(duration_s + 60)
        finally:
            process.kill()
            process.wait()
