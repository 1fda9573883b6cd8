"""`cpu_hog` and `memory_hog`: programs inside a container that use all it may have of something."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import psutil
from pydantic import Field

from harness.errors import StackError
from harness.faults.docker.container_inspection import (
    container_pid,
    cores_allowed,
    cores_used,
    memory_limit_bytes,
    oom_kills,
)
from harness.faults.docker.container_program import (
    MARK,
    OVERTIME_S,
    Execute,
    Pid,
    end_programs,
    programs_ended,
)
from harness.faults.instance import FaultInstance, HealthCheck, injection
from harness.scenario.fault_base import FaultBase, Length, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import ServiceTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory

_INTERVAL_S = 0.3
# Others use the cores too: a quarter of what it could use, and twice the use before.
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
_ALLOCATE = """
import sys
chunks = []
for _ in range(int(sys.argv[2])):
    chunks.append(bytearray(b"x") * (16 << 20))
"""
_CHUNK_BYTES = 16 << 20


@fault("cpu_hog")
class CpuHog(FaultBase):
    """Processes that only compute, inside the service's container, for `for_s`."""

    targets: ClassVar[TargetRule] = ServiceTarget()
    drawn: ClassVar = "always"

    kind: Literal["cpu_hog"]
    processes: Annotated[int, Field(ge=1, le=64)] = 4
    for_s: Length


@fault("memory_hog")
class MemoryHog(FaultBase):
    """A process inside the service's container that allocates memory until the kernel ends it."""

    targets: ClassVar[TargetRule] = ServiceTarget()
    disruptive: ClassVar[bool] = True
    drawn: ClassVar = "always"
    repeats_as_disturbance: ClassVar[bool] = True

    kind: Literal["memory_hog"]


@injection(CpuHog, "docker")
def _use_cpu(fault: CpuHog, on: DockerFaultFactory) -> FaultInstance:
    inside = on.inside(fault.target)
    return FaultInstance(
        CpuInjector(inside.execute, inside.pid, fault.processes, fault.for_s),
        CpuProbe(inside.pid, inside.health_check, fault.processes),
    )


@injection(MemoryHog, "docker")
def _use_memory(fault: MemoryHog, on: DockerFaultFactory) -> FaultInstance:
    inside = on.inside(fault.target)
    return FaultInstance(
        MemoryInjector(inside.execute, inside.pid), MemoryProbe(inside.pid, inside.health_check)
    )


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
        end_programs(self.pid)


@dataclass
class CpuProbe:
    """Sees by the control group's account that the cores are busy."""

    pid: Pid
    health_check: HealthCheck | None
    processes: int
    _at_rest: float = field(default=0.0, init=False)

    def before(self) -> None:
        self._at_rest = cores_used(container_pid(self.pid), _INTERVAL_S)

    def holds(self) -> str:
        pid = container_pid(self.pid)
        used = cores_used(pid, _INTERVAL_S)
        could = min(self.processes, psutil.cpu_count() or 1, cores_allowed(pid))
        if used < max(_FORCE * could, _GROWTH * self._at_rest):
            return ""
        return f"its control group keeps {used:.2f} cores busy, {self._at_rest:.2f} before"

    def ended(self) -> str:
        return programs_ended(self.pid, self.health_check)


@dataclass
class MemoryInjector:
    """Starts a process that allocates more memory than the container may have."""

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
        self.execute(["python3", "-c", _ALLOCATE, MARK, str(chunks)])

    def heal(self) -> None:
        end_programs(self.pid)


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
        return programs_ended(self.pid, self.health_check)
