"""Programs inside a container that take all it has, within its own limits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from harness.errors import StackError
from harness.faults.docker.container_inspection import (
    cores_allowed,
    cores_used,
    cpu_used_ns,
    marked,
    memory_limit_bytes,
    oom_kills,
)
from harness.faults.health_checks import HealthCheck

MARK = "signal-harness-hog"
# Starts a program inside the container and leaves it running.
Execute = Callable[[list[str]], None]
Pid = Callable[[], int]

# It ends by itself some time after it should have been ended.
OVERTIME_S = 30
_LOOK_S = 0.3
# Others want the cores too: a quarter of what it could have, and twice what was taken before.
_FORCE = 0.25
_GROWTH = 2
# A hog of a container with a large limit must not be the host's end.
_HOST_SHARE_MAX = 0.5

_BURN = """
import os, sys, time
end = time.monotonic() + float(sys.argv[2])
for _ in range(int(sys.argv[3]) - 1):
    if os.fork() == 0:
        break
while time.monotonic() < end:
    pass
"""
_TAKE = """
import sys
taken = []
for _ in range(int(sys.argv[2])):
    taken.append(bytearray(b"x") * (16 << 20))
"""
_CHUNK_BYTES = 16 << 20


@dataclass
class CpuInjector:
    """Starts processes that only compute."""

    execute: Execute
    pid: Pid
    processes: int
    for_s: float

    def inject(self) -> None:
        seconds = str(self.for_s + OVERTIME_S)
        self.execute(["python3", "-c", _BURN, MARK, seconds, str(self.processes)])

    def heal(self) -> None:
        kill_hogs(self.pid)


@dataclass
class CpuProbe:
    """Sees by the control group's account that the cores are taken."""

    pid: Pid
    health_check: HealthCheck | None
    processes: int
    _at_rest: float = field(default=0.0, init=False)

    def before(self) -> None:
        self._at_rest = cores_used(container_pid(self.pid), _LOOK_S)

    def holds(self) -> str:
        pid = container_pid(self.pid)
        used = cores_used(pid, _LOOK_S)
        could = min(self.processes, psutil.cpu_count() or 1, cores_allowed(pid))
        if used < max(_FORCE * could, _GROWTH * self._at_rest):
            return ""
        return f"its control group keeps {used:.2f} cores busy, {self._at_rest:.2f} before"

    def ended(self) -> str:
        return hogs_gone(self.pid, self.health_check)


@dataclass
class MemoryInjector:
    """Starts a process that takes more memory than the container may have."""

    execute: Execute
    pid: Pid

    def inject(self) -> None:
        limit = memory_limit_bytes(container_pid(self.pid))
        if limit is None:
            raise StackError("has no memory limit that a hog could reach", where="memory_hog")
        if limit > _HOST_SHARE_MAX * psutil.virtual_memory().available:
            raise StackError(
                f"its limit of {limit >> 20:,} MiB is more than this host can spare",
                where="memory_hog",
            )
        chunks = limit // _CHUNK_BYTES + 8
        self.execute(["python3", "-c", _TAKE, MARK, str(chunks)])

    def heal(self) -> None:
        kill_hogs(self.pid)


@dataclass
class MemoryProbe:
    """Sees by the control group's count that the kernel ended a process for want of memory."""

    pid: Pid
    health_check: HealthCheck | None
    _before: int = field(default=0, init=False)
    _of: int = field(default=0, init=False)

    def before(self) -> None:
        self._of = container_pid(self.pid)
        self._before = oom_kills(self._of)

    def holds(self) -> str:
        # A container that was started again counts from 0.
        pid = self.pid()
        if not pid:
            return ""
        grown = oom_kills(pid) - (self._before if pid == self._of else 0)
        return f"the control group's oom_kill grew by {grown}" if grown > 0 else ""

    def ended(self) -> str:
        return hogs_gone(self.pid, self.health_check)


def kill_hogs(of: Pid) -> None:
    """End every hog in a container; none there is no error."""
    with suppress(StackError):
        if pid := of():
            for hog in marked(pid, MARK):
                with suppress(ProcessLookupError):
                    os.kill(hog, signal.SIGKILL)


def container_pid(of: Pid) -> int:
    """The first process of a container.

    Raises:
        StackError: it does not run.
    """
    pid = of()
    if not pid:
        raise StackError("does not run", where="fault")
    cpu_used_ns(pid)
    return pid


def hogs_gone(of: Pid, ask: HealthCheck | None) -> str:
    """What shows that no hog is left in a container and that it works; empty until then."""
    pid = of()
    if not pid or marked(pid, MARK):
        return ""
    answer = ask() if ask else "it runs"
    return f"no hog is in its control group; {answer}" if answer else ""
