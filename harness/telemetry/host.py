"""The host: its cores one by one, and the pressure on it."""

from __future__ import annotations

from harness.clock import NS_PER_US
from harness.process.usage import CoreUsage, core_usages, pressures_us
from harness.telemetry.sample_batch import SampleBatch


def sample_host(sheet: SampleBatch) -> None:
    """The host now; what its kernel does not count is told."""
    cores = core_usages()
    if not cores:
        sheet.unread("host.cores", "the kernel does not tell what its cores do")
    for number, core in enumerate(cores):
        sheet.time(f"host.core{number}.busy_share", core.busy_ns)
        sheet.time(f"host.core{number}.steal_share", core.steal_ns)
        sheet.limit(f"host.core{number}.busy_share", 1, "")
    for name, total_ns in _sums(cores).items():
        sheet.time(f"host.{name}_cores", total_ns)
        sheet.limit(f"host.{name}_cores", len(cores), "cores")
    pressures = pressures_us()
    for name, total_us in pressures.items():
        sheet.time(f"host.pressure_{name}_share", total_us * NS_PER_US)
        sheet.limit(f"host.pressure_{name}_share", 1, "")
    sheet.unread("host.pressure", None if pressures else "this kernel does not count pressure")


def _sums(cores: tuple[CoreUsage, ...]) -> dict[str, int]:
    if not cores:
        return {}
    return {
        "busy": sum(core.busy_ns for core in cores),
        "idle": sum(core.idle_ns for core in cores),
        "steal": sum(core.steal_ns for core in cores),
        "iowait": sum(core.iowait_ns for core in cores),
    }
