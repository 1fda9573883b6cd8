"""Faults that stay within one container's own limits: hogs, fork storms, its disk."""

from __future__ import annotations

from dataclasses import dataclass

from harness.faults.docker.disk_fill import FillInjector, FillProbe, Folder
from harness.faults.docker.fork_storm import StormInjector, StormProbe
from harness.faults.docker.resource_hog import (
    CpuInjector,
    CpuProbe,
    Execute,
    MemoryInjector,
    MemoryProbe,
    Pid,
)
from harness.faults.docker.slow_disk import ThrottleInjector, ThrottleProbe
from harness.faults.health_checks import HealthCheck
from harness.faults.instance import FaultInstance
from harness.scenario.fault import CpuHog, Fault, MemoryHog
from harness.scenario.service_faults import DiskFill, ForkStorm, SlowDisk

KINDS = frozenset({"cpu_hog", "memory_hog", "fork_storm", "disk_fill", "slow_disk"})


@dataclass(frozen=True, slots=True)
class ContainerLimitFaults:
    """A container.

    Attributes:
        execute: starts a program in it.
        pid: its first process on this host; 0 while it does not run.
        folder: its data on its own disk.
        ask: whether its service answers.
    """

    execute: Execute
    pid: Pid
    folder: Folder
    health_check: HealthCheck | None

    def create(self, fault: Fault) -> FaultInstance | None:
        """What injects and proves such a fault; None for a fault of another kind."""
        pid, ask = self.pid, self.health_check
        match fault:
            case CpuHog():
                hog = CpuInjector(self.execute, pid, fault.processes, fault.for_s)
                return FaultInstance(hog, CpuProbe(pid, ask, fault.processes))
            case MemoryHog():
                return FaultInstance(MemoryInjector(self.execute, pid), MemoryProbe(pid, ask))
            case ForkStorm():
                storm = StormInjector(self.execute, pid, fault.processes, fault.for_s)
                return FaultInstance(storm, StormProbe(pid, ask, fault.processes))
            case DiskFill():
                fill = FillInjector(self.folder, fault.for_s)
                return FaultInstance(fill, FillProbe(self.folder, ask))
            case SlowDisk():
                throttle = ThrottleInjector(self.folder, pid, fault.writes_per_s)
                return FaultInstance(
                    throttle, ThrottleProbe(self.folder, pid, ask, fault.writes_per_s)
                )
        return None
