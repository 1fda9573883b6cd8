"""Use of the host by the system, the harness and foreign programs, from Linux's proc(5).

Each process of the host is assigned to one of these sides when it is first seen, by its ancestors,
and stays there. Computing time is the difference of sums over a side: user and system time of each
process and of the children that it has waited for. The time of a child that ends is added to its
parent, so that a child that lives shorter than the interval counts too.

A task in state D ("blocked") waits for storage, as a task in fsync does all the time. The state is
sampled. Only the state shows which process calls fsync, since one call writes few bytes.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from harness.clock import NS_PER_S
from harness.process.proc import PROC
from harness.process.run_registry import RUN_NAME
from harness.telemetry.kernel_file import KernelFile
from harness.telemetry.sample_batch import SampleBatch

# Fields 3, 4, 14 to 17 and 20 of proc_pid_stat(5), counted after the program's name.
_STATE, _PARENT, _TIMES, _THREADS = 0, 1, slice(11, 15), 17
_KTHREADD = 2
# They serve all containers of the host, those of the system among them.
_RUNTIME = ("dockerd", "containerd", "docker-proxy")
_SHIM = "containerd-shim"
# A foreign program is named from this part of a core on, or when it waits for storage.
_NOTABLE_CORES = 0.05
_NAMES_MAX = 16
_PROCESSES_MAX = 4_096
_TASKS_MAX = 64
_UNKNOWN = "the system's processes are not known on this host, so foreign ones cannot be identified"


class ProcessOwner(StrEnum):
    """The side that a process belongs to."""

    SYSTEM = "system"
    HARNESS = "harness"
    FOREIGN = "foreign"
    KERNEL = "kernel"


class HostProcesses:
    """All processes of the host.

    Args:
        harness_pid: the main process; its descendants are the harness's, except services.
        proc: the process table.
    """

    def __init__(self, harness_pid: int, proc: Path = PROC) -> None:
        self._harness_pid = harness_pid
        self._proc = proc
        self._known: dict[int, _Program] = {}
        self._services: frozenset[int] = frozenset()
        self._totals = dict.fromkeys(ProcessOwner, 0)
        self._names: dict[str, None] = {}
        self._sampled_ns = 0

    def sample(self, batch: SampleBatch, services: Mapping[str, int], mono_ns: int) -> None:
        """Every process now.

        Args:
            batch: receives the figures.
            services: first process of each service.
            mono_ns: the time.
        """
        batch.unread("host.programs", None if services else _UNKNOWN)
        if not services:
            return
        gone = self._read()
        self._assign_sides(frozenset(services.values()))
        if self._sampled_ns:
            self._add_up(gone)
            self._name(batch, mono_ns - self._sampled_ns)
        self._sampled_ns = mono_ns
        blocked = Counter[ProcessOwner]()
        for program in self._known.values():
            blocked[program.side] += program.blocked
        for side in (ProcessOwner.SYSTEM, ProcessOwner.HARNESS, ProcessOwner.FOREIGN):
            batch.time(f"host.{side}_cores", self._totals[side])
            batch.gauge(f"host.{side}_blocked_count", blocked[side])
        batch.gauge("host.other_runs_count", self._count_runs())

    def close(self) -> None:
        """Close all files."""
        for program in self._known.values():
            program.stat.close()
        self._known = {}

    def _count_runs(self) -> int:
        """Other runs; a child has the name of its parent between fork and exec."""
        runs = {pid for pid, one in self._known.items() if one.is_run}
        return sum(
            self._known[pid].side is ProcessOwner.FOREIGN and self._known[pid].parent not in runs
            for pid in runs
        )

    def _read(self) -> list[_Program]:
        """Read all; those that ended since the previous sample."""
        live: dict[int, _Program] = {}
        for name in os.listdir(self._proc):  # noqa: PTH208 - names are enough, and this runs often
            if name.isdigit() and len(live) < _PROCESSES_MAX:
                pid = int(name)
                with suppress(OSError, ValueError, IndexError):  # it has just ended
                    live[pid] = self._read_one(pid)
        gone = list(self._known.values())
        for program in gone:
            program.stat.close()
        self._known = live
        return gone

    def _read_one(self, pid: int) -> _Program:
        program = self._known.get(pid)
        with suppress(OSError):  # another process may have its pid by now
            if program is not None:
                program.sample()
                del self._known[pid]
                return program
        program = _Program(self._proc / str(pid))
        program.sample()
        if not self._sampled_ns:
            program.reset()
        return program

    def _assign_sides(self, services: frozenset[int]) -> None:
        """Assign new processes, and all when the services changed; the harness's stay."""
        if services != self._services:
            self._services = services
            for program in self._known.values():
                program.is_placed = program.side in (ProcessOwner.SYSTEM, ProcessOwner.KERNEL)
        shims = {
            self._known[pid].parent
            for pid in services
            if pid in self._known and self._name_of(self._known[pid].parent).startswith(_SHIM)
        }
        for pid, program in self._known.items():
            if not program.is_placed:
                found = self._side_of(pid, shims)
                program.is_placed = True
                if program.side is not ProcessOwner.HARNESS or found is ProcessOwner.SYSTEM:
                    program.side = found

    def _side_of(self, pid: int, shims: set[int]) -> ProcessOwner:
        if self._name_of(pid) in _RUNTIME:
            return ProcessOwner.HARNESS
        for _ in range(_TASKS_MAX):
            if pid in self._services or pid in shims:
                return ProcessOwner.SYSTEM
            if pid == self._harness_pid:
                return ProcessOwner.HARNESS
            if pid == _KTHREADD:
                return ProcessOwner.KERNEL
            program = self._known.get(pid)
            if program is None:
                break
            ours = program.is_placed and program.side in (ProcessOwner.SYSTEM, ProcessOwner.HARNESS)
            if ours and program.name not in _RUNTIME:
                return program.side
            pid = program.parent
        return ProcessOwner.FOREIGN

    def _name_of(self, pid: int) -> str:
        program = self._known.get(pid)
        return program.name if program else ""

    def _add_up(self, gone: list[_Program]) -> None:
        grown = Counter[ProcessOwner]()
        for program in self._known.values():
            grown[program.side] += program.total_ns - program.before_ns
        for program in gone:
            grown[program.side] -= program.total_ns
        for side in ProcessOwner:
            self._totals[side] += max(0, grown[side])

    def _name(self, batch: SampleBatch, span_ns: int) -> None:
        """Report the notable foreign programs by name."""
        used, blocked = Counter[str](), Counter[str]()
        for program in self._known.values():
            if program.side is ProcessOwner.FOREIGN:
                used[program.name] += program.own_ns - program.own_before_ns
                blocked[program.name] += program.blocked
        for name, own_ns in used.items():
            notable = own_ns >= _NOTABLE_CORES * span_ns or blocked[name]
            if notable and len(self._names) < _NAMES_MAX:
                self._names[name] = None
        for name in self._names:
            batch.gauge(f"foreign.{name}.cpu_cores", max(0, used[name]) / span_ns)
            batch.gauge(f"foreign.{name}.blocked_count", blocked[name])


class _Program:
    """One process; `total_ns` is with the children that it waited for, `own_ns` without."""

    __slots__ = (
        "before_ns", "blocked", "folder", "is_placed", "is_run", "name", "own_before_ns", "own_ns",
        "parent", "side", "stat", "total_ns",
    )  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stat = KernelFile(f"{folder}/stat")
        self.side = ProcessOwner.FOREIGN
        self.is_placed = self.is_run = False
        self.name = ""
        self.parent = self.blocked = 0
        self.total_ns = self.before_ns = self.own_ns = self.own_before_ns = 0

    def sample(self) -> None:
        """The process now.

        Raises:
            OSError, ValueError, IndexError: it has ended.
        """
        head, _, tail = self.stat.read().rpartition(b")")
        fields = tail.split()
        own, system, waited, waited_system = map(int, fields[_TIMES])
        # The name changes when its run begins, so it is read each time.
        self.is_run = head.partition(b"(")[2] == _RUN
        self.name = self.name or re.sub(r"[^\w/:-]", "_", head.partition(b"(")[2].decode("latin-1"))
        self.parent = int(fields[_PARENT])
        self.before_ns, self.own_before_ns = self.total_ns, self.own_ns
        self.own_ns = (own + system) * _TICK_NS
        self.total_ns = self.own_ns + (waited + waited_system) * _TICK_NS
        self.blocked = self._blocked(fields[_STATE], int(fields[_THREADS]))

    def reset(self) -> None:
        """Do not count what it used before its first sample."""
        self.before_ns, self.own_before_ns = self.total_ns, self.own_ns

    def _blocked(self, state: bytes, threads: int) -> int:
        """Its tasks that wait for storage; of an idle process only the first task is read."""
        if self.own_ns == self.own_before_ns or not 1 < threads <= _TASKS_MAX:
            return int(state == b"D")
        found = 0
        for stat in self.folder.glob("task/*/stat"):
            with suppress(OSError):
                found += stat.read_bytes().rpartition(b")")[2].split()[:1] == [b"D"]
        return found


_RUN = RUN_NAME.encode()
_TICK_NS = NS_PER_S // os.sysconf("SC_CLK_TCK")
