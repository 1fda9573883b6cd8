"""What processes cost: CPU time, by part."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """CPU seconds since each process began, by pid; `walsender` ones apart.

    Attributes:
        bench: the benchmark and its children: the servers, the observer, the load.
        host: everything on the host.
    """

    postgres: dict[int, float]
    walsender: dict[int, float]
    observer: float
    bench: float
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
    return CpuTimes(postgres, walsender, own, _bench_s(), _host_s())


def cost_between(before: CpuTimes, after: CpuTimes) -> Cost:
    """What was spent; processes that ended in between are left out."""
    postgres_s = _spent(before.postgres, after.postgres)
    walsender_s = _spent(before.walsender, after.walsender)
    others_s = after.host - before.host - (after.bench - before.bench)
    return Cost(postgres_s, walsender_s, after.observer - before.observer, others_s)


def _bench_s() -> float:
    own = psutil.Process()
    return sum(_cpu_s(process) for process in [own, *own.children(recursive=True)])


def _host_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _spent(before: dict[int, float], after: dict[int, float]) -> float:
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
