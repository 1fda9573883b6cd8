"""What the kernel has counted for processes, cores and the host since they began; Linux's proc(5).

Everything is a running total, so a reader takes differences. Reading costs some 20 us a process.
What cannot be read is None or left out: a process may be gone, a kernel may not count.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.process.proc import PROC

PRESSURES = ("cpu", "io", "memory")
_STATE, _UTIME, _STIME, _RSS = 0, 11, 12, 21  # fields 3, 14, 15 and 24 of proc_pid_stat(5)
_NICE_AND_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq of proc_stat(5)
_IDLE, _IOWAIT, _STEAL = 3, 4, 7


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
    """One core: time spent computing, waiting for disks, idle, and taken away by the hypervisor."""

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
    """Every core now, in order; none where the kernel does not tell."""
    try:
        lines = _text("stat").splitlines()
    except OSError:
        return ()
    return tuple(_core(line) for line in lines if line.startswith("cpu") and line[3] != " ")


def pressures_us() -> dict[str, int]:
    """How long, in all, some task of the host stood still for want of a resource (PSI)."""
    found = {}
    for name in PRESSURES:
        try:
            first = _text(f"pressure/{name}").splitlines()[0]
            found[name] = int(first.rpartition("total=")[2])
        except (OSError, ValueError, IndexError):
            continue  # not every kernel counts it
    return found


def load_1min() -> float | None:
    """Load average of the last minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _core(line: str) -> CoreUsage:
    ticks = [int(word) for word in line.split()[1:]]
    ticks += [0] * (_STEAL + 1 - len(ticks))
    tick_ns = _tick_ns()
    return CoreUsage(
        busy_ns=sum(ticks[number] for number in _NICE_AND_BUSY) * tick_ns,
        iowait_ns=ticks[_IOWAIT] * tick_ns,
        idle_ns=ticks[_IDLE] * tick_ns,
        steal_ns=ticks[_STEAL] * tick_ns,
    )


def _tick_ns() -> int:
    return NS_PER_S // os.sysconf("SC_CLK_TCK")


def _text(name: str) -> str:
    with (PROC / name).open(encoding="utf-8", errors="replace") as file:
        return file.read()
