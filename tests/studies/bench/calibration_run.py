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
from harness.evidence.run_folder import RunFolder
from harness.observe.final_state import write_final_state
from harness.observe.observer import Observer
from harness.observe.plan import ObserverPlan
from harness.process.child import ChildProcess
from harness.run.live.figures import LiveFigures
from harness.scenario.models import Load, Signals, Stage
from harness.schedule.plan import SwarmPlan
from tests.studies.bench.calibration_system import Known
from tests.studies.bench.observing_servers import BenchServers

AGENTS = 100
USERS = 50
SYSTEM_WORKERS = 3
CONTRACT = Contract()
_LEAD_NS = 5 * NS_PER_S
_DRAIN_NS = 20 * NS_PER_S
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Where the evidence of one rate lies.

    Attributes:
        folder: what the harness wrote.
        truth: folder of what the known system and Locust's users wrote.
    """

    folder: RunFolder
    truth: Path


def calibrate(
    servers: BenchServers, place: Path, rate: float, duration_s: float, *, locust: bool
) -> Calibrated:
    """Run one rate: the harness against the known system, then Locust against the same."""
    folder = RunFolder.create(place, "calibration", _CLOCK.wall_ns())
    truth = place / "truth"
    truth.mkdir()
    plan = _swarm_plan(servers, folder, rate, duration_s)
    folder.write_plan(plan)
    observer_plan = ObserverPlan(
        observer_dsn=SecretStr(servers.observer_dsn),
        redis_url=SecretStr(servers.redis_url),
        run_tag=plan.run_tag,
        folder=folder.path,
    )
    observer = Observer(observer_plan, _CLOCK)
    with _system(servers, truth, plan.t0_ns):
        try:
            observer.start()
            _swarm(plan, folder)
            deadline_ns = _drain(folder, plan.run_tag)
        finally:
            observer.stop()
        if failure := observer.failure():
            raise StackError(failure)
        facts = {"t0_ns": plan.t0_ns, "observation_end_ns": _CLOCK.now_ns()}
        folder.write_json(folder.run, facts | {"drain_deadline_ns": deadline_ns})
        write_final_state(
            servers.observer_dsn, servers.redis_url, CONTRACT, plan.run_tag, folder.path
        )
        if locust:
            _locust(servers, truth, plan.run_tag ^ 1, rate, duration_s)
    return Calibrated(folder, truth)


@contextmanager
def _system(servers: BenchServers, truth: Path, t0_ns: int) -> Iterator[None]:
    client = redis.Redis.from_url(servers.redis_url)
    key = CONTRACT.key(CONTRACT.streams.proposals)
    client.delete(key)
    client.xgroup_create(key, CONTRACT.streams.engine_group or "", id="0", mkstream=True)
    client.close()
    processes = [_worker(servers, truth, t0_ns, worker) for worker in range(SYSTEM_WORKERS)]
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


def _worker(servers: BenchServers, truth: Path, t0_ns: int, worker: int) -> subprocess.Popen[str]:
    known = Known(
        redis_url=servers.redis_url,
        dsn=servers.owner_dsn,
        contract=CONTRACT,
        worker=worker,
        t0_ns=t0_ns,
        path=truth / f"known-{worker}.bin",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.studies.bench.calibration_system"],
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(known.model_dump_json())
    process.stdin.close()
    return process


def _swarm_plan(
    servers: BenchServers, folder: RunFolder, rate: float, duration_s: float
) -> SwarmPlan:
    stage = Stage(agents=AGENTS, rate_from=rate, rate_to=rate, duration_s=duration_s)
    return SwarmPlan(
        run_tag=trace_id.new_run_tag(),
        seed=1,
        t0_ns=_CLOCK.now_ns() + _LEAD_NS,
        load=Load(warmup_s=0, stages=(stage,)),
        signals=Signals(),
        contract=CONTRACT,
        redis_url=SecretStr(servers.redis_url),
        folder=folder.journal,
    )


def _swarm(plan: SwarmPlan, folder: RunFolder) -> None:
    swarm = ChildProcess("harness.load.worker", plan.to_stdin(), folder.logs / "swarm.log", "swarm")
    swarm.start()
    deadline_ns = plan.end_ns + _DRAIN_NS
    try:
        while swarm.poll() is None and _CLOCK.now_ns() < deadline_ns:
            _CLOCK.sleep_ns(200 * NS_PER_MS)
    finally:
        code = swarm.stop(5)
    if code != 0:
        raise StackError(f"the swarm ended with {code}\n{swarm.log_tail()}\n{swarm.latest}")


def _drain(folder: RunFolder, run_tag: int) -> int:
    live = LiveFigures(folder.path, run_tag)
    deadline_ns = _CLOCK.now_ns() + _DRAIN_NS
    while True:
        live.update()
        if live.backlog == 0 or _CLOCK.now_ns() > deadline_ns:
            return deadline_ns
        _CLOCK.sleep_ns(100 * NS_PER_MS)


def _locust(
    servers: BenchServers, truth: Path, run_tag: int, rate: float, duration_s: float
) -> None:
    config = {
        "redis_url": servers.redis_url,
        "dsn": servers.owner_dsn,
        "run_tag": run_tag,
        "throughput_per_s": rate / USERS,
        "folder": str(truth),
    }
    arguments = ["-u", str(USERS), "-r", str(USERS), "-t", f"{duration_s:.0f}s", "-s", "5"]
    file = str(Path(__file__).with_name("calibration_locust.py"))
    with (truth / "locust.log").open("wb") as log:
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
