"""A service as the processes it consists of, from Linux's proc(5).

Figures are sums of what each process and thread added since it was first seen, so they only grow
when one ends or is restarted. Processes that start and end between two samples are missed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from harness.process.proc import PROC
from harness.telemetry.kernel_file import KernelFile

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Fields 10, 12 and 20 of proc_pid_stat(5), counted after the program's name.
_MINOR, _MAJOR, _THREADS = 7, 9, 17
PROCESSES_MAX = 1_024


@dataclass(slots=True)
class TreeTotals:
    """What a service has used since its first sample.

    Attributes:
        cpu_ns, wait_ns: computing, and ready to run without a core, of all threads.
        busiest_ns: computing of the busiest thread since the previous sample.
        memory_bytes: held now: the private part of each process, and the largest shared part.
        private_bytes: the private parts alone.
        read_bytes, written_bytes: None where the kernel does not report them to this user.
    """

    cpu_ns: int = 0
    wait_ns: int = 0
    busiest_ns: int = 0
    faults_minor: int = 0
    faults_major: int = 0
    memory_bytes: int = 0
    private_bytes: int = 0
    read_bytes: int | None = 0
    written_bytes: int | None = 0


class ProcessTree:
    """A process with all below it.

    Args:
        pid: of the first process.
        proc: the process table.
    """

    def __init__(self, pid: int, proc: str = str(PROC)) -> None:
        self.totals = TreeTotals()
        self._pid = pid
        self._proc = proc
        self._members: dict[int, _Member] = {}
        # What was used before the first sample does not count.
        self._is_first = True

    def follow(self, pid: int) -> None:
        """Set the first process, after the service was restarted."""
        self._pid = pid

    def sample(self) -> int:
        """Add what was used since the previous sample; the number of processes."""
        totals = self.totals
        totals.busiest_ns = 0
        own_bytes, shared_bytes = 0, 0
        seen: dict[int, _Member] = {}
        waiting = [self._pid]
        while waiting and len(seen) < PROCESSES_MAX:
            pid = waiting.pop()
            if pid in seen:
                continue
            try:
                member = self._members.pop(pid, None) or _Member(f"{self._proc}/{pid}")
                children = member.sample(totals, is_known=not self._is_first)
            except (OSError, ValueError, IndexError):  # it has just ended
                continue
            seen[pid] = member
            waiting.extend(children)
            own_bytes += member.own_bytes
            shared_bytes = max(shared_bytes, member.shared_bytes)
        for gone in self._members.values():
            gone.close()
        self._members = seen
        totals.memory_bytes = own_bytes + shared_bytes
        totals.private_bytes = own_bytes
        self._is_first = self._is_first and not seen
        return len(seen)

    def close(self) -> None:
        """Close all files."""
        for member in self._members.values():
            member.close()
        self._members = {}


class _Member:
    """One process of a tree."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stat = KernelFile(f"{folder}/stat")
        self._statm = KernelFile(f"{folder}/statm")
        self._io: KernelFile | None = None
        with suppress(OSError):  # of another user's process
            self._io = KernelFile(f"{folder}/io")
        self._threads: dict[str, _Thread] = {}
        self._before: tuple[int, int, int, int] | None = None
        self.own_bytes = 0
        self.shared_bytes = 0

    def sample(self, totals: TreeTotals, *, is_known: bool) -> list[int]:
        """Add what it used; its children.

        Args:
            totals: of the tree.
            is_known: whether all that it used since its start counts.

        Raises:
            OSError, ValueError, IndexError: it has ended.
        """
        stat = self._stat.read()
        fields = stat[stat.rindex(b")") + 2 :].split()
        now = (int(fields[_MINOR]), int(fields[_MAJOR]), *self._stored())
        before = self._before or ((0, 0, 0, 0) if is_known else now)
        totals.faults_minor += now[0] - before[0]
        totals.faults_major += now[1] - before[1]
        if self._io is None or totals.read_bytes is None or totals.written_bytes is None:
            totals.read_bytes = totals.written_bytes = None
        else:
            totals.read_bytes += now[2] - before[2]
            totals.written_bytes += now[3] - before[3]
        self._before = now
        pages = self._statm.read().split()
        resident, shared = int(pages[1]), int(pages[2])
        self.own_bytes = (resident - shared) * _PAGE_BYTES
        self.shared_bytes = shared * _PAGE_BYTES
        return list(self._sample_threads(int(fields[_THREADS]), totals, is_known=is_known))

    def close(self) -> None:
        for file in (self._stat, self._statm, self._io, *self._threads.values()):
            if file is not None:
                file.close()

    def _stored(self) -> tuple[int, int]:
        if self._io is None:
            return 0, 0
        try:
            fields = self._io.read().split()
        except PermissionError:  # may be opened, and yet not be read
            self._io.close()
            self._io = None
            return 0, 0
        read, written = fields.index(b"read_bytes:") + 1, fields.index(b"write_bytes:") + 1
        return int(fields[read]), int(fields[written])

    def _sample_threads(self, number: int, totals: TreeTotals, *, is_known: bool) -> Iterator[int]:
        names = [self._folder.rpartition("/")[2]]
        if number > 1:
            names = os.listdir(f"{self._folder}/task")  # noqa: PTH208 - names are enough, and often
        threads: dict[str, _Thread] = {}
        for name in names:
            thread = self._threads.pop(name, None)
            try:
                if thread is None:
                    thread = _Thread(f"{self._folder}/task/{name}", is_known=is_known)
                yield from thread.sample(totals)
            except (OSError, ValueError):
                continue
            threads[name] = thread
        for gone in self._threads.values():
            gone.close()
        self._threads = threads


class _Thread:
    """One thread: its computing, its wait for a core, the processes that it started."""

    def __init__(self, folder: str, *, is_known: bool) -> None:
        self._schedstat = KernelFile(f"{folder}/schedstat")
        self._children: KernelFile | None = None
        with suppress(OSError):  # a kernel without CONFIG_PROC_CHILDREN
            self._children = KernelFile(f"{folder}/children")
        self._before: tuple[int, int] | None = (0, 0) if is_known else None

    def sample(self, totals: TreeTotals) -> Iterator[int]:
        cpu, wait, _ = self._schedstat.read().split()
        now = int(cpu), int(wait)
        cpu_ns, wait_ns = self._before or now
        totals.cpu_ns += now[0] - cpu_ns
        totals.wait_ns += now[1] - wait_ns
        totals.busiest_ns = max(totals.busiest_ns, now[0] - cpu_ns)
        self._before = now
        if self._children is not None:
            yield from map(int, self._children.read().split())

    def close(self) -> None:
        self._schedstat.close()
        if self._children is not None:
            self._children.close()
