"""What the kernel has counted for processes, cores and the host since they began; Linux's proc(5).

Everything is a running total, so a reader takes differences. Reading costs some 20 us a process.
What cannot be read is None or left out: a process may be gone, a kernel may not count. psutil reads
cores; it has no scheduler statistics of a process, and costs several times as much for one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil

from harness.clock import NS_PER_S
from harness.process.cgroup import pressure_us
from harness.process.proc import PROC

PRESSURES = ("cpu", "io", "memory")
_STATE, _UTIME, _STIME, _RSS = 0, 11, 12, 21  # fields 3, 14, 15 and 24 of proc_pid_stat(5)


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """One process.

    Attributes:
        state: R, S, D, T (stopped), t (traced), Z, ...
        cpu_ns: computing time of its first thread, the one that does the work.
        wait_ns: how long that thread was ready to run and had no core; None where not counted.
        total_ns: computing time of all its threads, in steps of a clock tick.
        rss_bytes: memory held now.
    """

    state: str
    cpu_ns: int
    wait_ns: int | None
    total_ns: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class CoreUsage:
    """One core: time spent computing, waiting for disks, idle, and steal (used by other guests)."""

    busy_ns: int
    iowait_ns: int
    idle_ns: int
    steal_ns: int


def process_usage(pid: int) -> ProcessUsage | None:
    """A process now; None when it is gone."""
    try:
        stat = _text(f"{pid}/stat")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    total_ns = (int(fields[_UTIME]) + int(fields[_STIME])) * _tick_ns()
    cpu_ns, wait_ns = total_ns, None
    try:
        cpu, wait, _ = _text(f"{pid}/schedstat").split()
        cpu_ns, wait_ns = int(cpu), int(wait)
    except (OSError, ValueError):
        pass  # a kernel without scheduler statistics
    rss_bytes = int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE")
    return ProcessUsage(fields[_STATE], cpu_ns, wait_ns, total_ns, rss_bytes)


def core_usages() -> tuple[CoreUsage, ...]:
    """Every core now, in order; none where the kernel does not report them."""
    try:
        times = psutil.cpu_times(percpu=True)
    except OSError:
        return ()
    return tuple(
        CoreUsage(
            busy_ns=sum(map(_ns, (one.user, one.nice, one.system, one.irq, one.softirq))),
            iowait_ns=_ns(one.iowait),
            idle_ns=_ns(one.idle),
            steal_ns=_ns(one.steal),
        )
        for one in times
    )


def pressures_us() -> dict[str, int]:
    """How long, in all, some task of the host was stalled on a resource (PSI)."""
    found = {}
    for name in PRESSURES:
        try:
            found[name] = pressure_us(_text(f"pressure/{name}").encode())
        except (OSError, ValueError):
            continue  # not every kernel counts it
    return found


def load_1min() -> float | None:
    """Load average of the last minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _tick_ns() -> int:
    return NS_PER_S // os.sysconf("SC_CLK_TCK")


def _text(name: str) -> str:
    with (PROC / name).open(encoding="utf-8", errors="replace") as file:
        return file.read()
