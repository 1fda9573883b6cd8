"""Host, its programs and the services, as the kernel counts them, and the cost of telemetry.

Fields of diskstats: https://docs.kernel.org/admin-guide/iostats.html. Flushes are counted since
Linux 5.5. Only whole disks are reported: what a partition or a mapped device does, its disk does.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness.clock import NS_PER_MS, NS_PER_US, Clock
from harness.process.proc import PROC
from harness.process.usage import CoreUsage, core_usages, pressures_us
from harness.telemetry.host_processes import HostProcesses
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.services import Services
from harness.telemetry.source import Source, SourceContext, telemetry_source

COST_LIMIT_CORES = 0.02
# Counted after the name of a disk.
_WRITES, _WRITE_MS, _BUSY_MS, _FLUSHES, _FLUSH_MS = 4, 7, 9, 15, 16


class KernelSource(Source):
    """Everything that needs no answer of a server.

    Args:
        services: processes of the system.
        clock: the host's clocks.
    """

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._programs = HostProcesses(os.getppid())
        self._clock = clock

    def sample(self, batch: SampleBatch) -> None:
        """Host, disks, programs, services and the cost of telemetry."""
        sample_cores(batch)
        sample_pressure(batch)
        sample_disks(batch)
        self._programs.sample(batch, self._services.pids, self._clock.now_ns())
        self._services.sample(batch, self._clock.now_ns())
        batch.time("sampler.cost_cores", time.process_time_ns())
        batch.limit("sampler.cost_cores", COST_LIMIT_CORES, "specified")

    def close(self) -> None:
        """Close all files."""
        self._programs.close()
        self._services.close()


@telemetry_source("kernel")
def make_kernel(context: SourceContext) -> KernelSource:
    """The host that telemetry runs on."""
    return KernelSource(context.services, context.clock)


def sample_cores(batch: SampleBatch) -> None:
    """The cores one by one, and together."""
    cores = core_usages()
    if not cores:
        batch.unread("host.cores", "the kernel does not report the use of its cores")
    for number, core in enumerate(cores):
        batch.time(f"host.core{number}.busy_share", core.busy_ns)
        batch.time(f"host.core{number}.steal_share", core.steal_ns)
        batch.limit(f"host.core{number}.busy_share", 1, "")
    for name, total_ns in _sums(cores).items():
        batch.time(f"host.{name}_cores", total_ns)
        batch.limit(f"host.{name}_cores", len(cores), "cores")


def sample_pressure(batch: SampleBatch) -> None:
    """Pressure (PSI) on the host."""
    pressures = pressures_us()
    for name, total_us in pressures.items():
        batch.time(f"host.pressure_{name}_share", total_us * NS_PER_US)
        batch.limit(f"host.pressure_{name}_share", 1, "")
    batch.unread("host.pressure", None if pressures else "this kernel does not count pressure")


def sample_disks(batch: SampleBatch, proc: Path = PROC, devices: Path = Path("/sys/block")) -> None:
    """Every disk, but for those that were never used."""
    try:
        lines = (proc / "diskstats").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    batch.unread("host.disks", None if lines else "the kernel does not report its disks")
    for line in lines:
        name, *fields = line.split()[2:]
        counts = [int(field) for field in fields]
        if not any(counts) or not (devices / name / "device").exists():
            continue
        batch.time(f"disk.{name}.busy_share", counts[_BUSY_MS] * NS_PER_MS)
        batch.limit(f"disk.{name}.busy_share", 1, "")
        batch.total(f"disk.{name}.writes_per_s", counts[_WRITES])
        batch.mean(f"disk.{name}.write_ms", counts[_WRITE_MS], counts[_WRITES])
        if len(counts) > _FLUSH_MS:
            batch.total(f"disk.{name}.flushes_per_s", counts[_FLUSHES])
            batch.mean(f"disk.{name}.flush_ms", counts[_FLUSH_MS], counts[_FLUSHES])


def _sums(cores: tuple[CoreUsage, ...]) -> dict[str, int]:
    if not cores:
        return {}
    return {
        "busy": sum(core.busy_ns for core in cores),
        "idle": sum(core.idle_ns for core in cores),
        "steal": sum(core.steal_ns for core in cores),
        "iowait": sum(core.iowait_ns for core in cores),
    }
