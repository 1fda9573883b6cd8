"""What processes cost: CPU time, by part."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """CPU seconds since each process began, by pid; `walsender` ones apart.

    Attributes:
        foreign: everything that is no child of the benchmark.
        host: the whole host, by its clock tick.
        bench: the benchmark and its children: the servers, the observer, the load.
    """

    postgres: dict[int, float]
    walsender: dict[int, float]
    observer: float
    bench: dict[int, float]
    foreign: dict[int, float]
    host: float


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds between two readings; `others_s` went to what is no part of the benchmark."""

    postgres_s: float
    walsender_s: float
    observer_s: float
    others_s: float


def read_cpu(postmaster: int, observer: int | None) -> CpuTimes:
    """CPU of PostgreSQL's processes and of the observer."""
    postgres: dict[int, float] = {}
    walsender: dict[int, float] = {}
    first = psutil.Process(postmaster)
    for process in [first, *first.children()]:
        try:
            is_sender = any("walsender" in word for word in process.cmdline())
            (walsender if is_sender else postgres)[process.pid] = _cpu_s(process)
        except psutil.NoSuchProcess:
            continue
    own = _cpu_s(psutil.Process(observer)) if observer else 0.0
    bench_pids = {process.pid for process in psutil.Process().children(recursive=True)}
    bench: dict[int, float] = {}
    foreign: dict[int, float] = {}
    for process in psutil.process_iter():
        try:
            is_bench = process.pid in bench_pids or process.pid == os.getpid()
            (bench if is_bench else foreign)[process.pid] = _cpu_s(process)
        except psutil.NoSuchProcess:
            continue
    return CpuTimes(postgres, walsender, own, bench, foreign, _host_s())


def cost_between(before: CpuTimes, after: CpuTimes) -> Cost:
    """What was spent; processes that ended in between are left out."""
    postgres_s = _spent(before.postgres, after.postgres)
    walsender_s = _spent(before.walsender, after.walsender)
    # Ticks miss work that sleeps through them, sums over processes miss those that have ended.
    by_ticks_s = after.host - before.host - _spent(before.bench, after.bench)
    others_s = max(by_ticks_s, _spent(before.foreign, after.foreign))
    return Cost(postgres_s, walsender_s, after.observer - before.observer, others_s)


def _host_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _spent(before: dict[int, float], after: dict[int, float]) -> float:
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
