"""The kernel's counts for a control group, which a container has.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.stat, memory.stat, io.stat,
*.pressure) and https://docs.kernel.org/admin-guide/cgroup-v1/ (cpuacct, memory, blkio).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_US
from harness.process.cgroup import UNIFIED, V1_UNLIMITED, ControlGroup, pressure_us, table
from harness.process.usage import PRESSURES
from harness.telemetry.kernel_file import KernelFile


@dataclass(slots=True)
class CgroupUsage:
    """A group now; None for figures that this kernel does not report.

    Attributes:
        periods, throttled: enforcement periods, and those in which the quota was used up.
        memory_bytes: held, without file pages that were not in use lately, as Docker counts it.
        private_bytes: of them, anonymous pages: no file, no cache, no memory that is shared.
        pressure_ns: running totals of time in which some task was stalled, by resource.
        cpu_limit_cores, memory_limit_bytes: in force; None without a limit.
    """

    cpu_ns: int | None = None
    periods: int | None = None
    throttled: int | None = None
    memory_bytes: int | None = None
    private_bytes: int | None = None
    faults_minor: int | None = None
    faults_major: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    pressure_ns: dict[str, int] = field(default_factory=dict)
    cpu_limit_cores: float | None = None
    memory_limit_bytes: int | None = None


class CgroupFiles:
    """The files of a group, kept open.

    Args:
        group: see `harness.process.cgroup.group_of`.
    """

    def __init__(self, group: ControlGroup) -> None:
        self._group = group
        self._files: dict[str, KernelFile] = {}
        # The set of files does not change while a kernel runs.
        self._absent: set[str] = set()

    @property
    def group(self) -> ControlGroup:
        """Where they are."""
        return self._group

    def sample(self) -> CgroupUsage:
        """The group now.

        Raises:
            OSError: the group has ended.
            ValueError: a file has another form.
        """
        usage = CgroupUsage()
        if self._group.version == 1:
            self._sample_v1(usage)
        else:
            self._sample_v2(usage)
        for name in PRESSURES:
            if (text := self._read(UNIFIED, f"{name}.pressure")) is not None:
                usage.pressure_ns[name] = pressure_us(text) * NS_PER_US
        return usage

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def _sample_v1(self, usage: CgroupUsage) -> None:
        if (text := self._read("cpuacct", "cpuacct.usage")) is not None:
            usage.cpu_ns = int(text)
        if (text := self._read("cpu", "cpu.stat")) is not None:
            _periods(usage, table(text))
        quota, period = (self._read("cpu", f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota is not None and period is not None and int(quota) > 0:
            usage.cpu_limit_cores = int(quota) / int(period)
        if (text := self._read("memory", "memory.stat")) is not None:
            facts = table(text)
            _faults(usage, facts, "total_pgfault", "total_pgmajfault")
            usage.private_bytes = facts.get(b"total_rss")
            if (held := self._read("memory", "memory.usage_in_bytes")) is not None:
                usage.memory_bytes = max(0, int(held) - facts.get(b"total_inactive_file", 0))
        if (text := self._read("memory", "memory.limit_in_bytes")) is not None:
            usage.memory_limit_bytes = int(text) if int(text) < V1_UNLIMITED else None
        text = self._read("blkio", "blkio.throttle.io_service_bytes_recursive")
        if text is not None:
            usage.read_bytes, usage.written_bytes = _blkio(text)

    def _sample_v2(self, usage: CgroupUsage) -> None:
        if (text := self._read(UNIFIED, "cpu.stat")) is not None:
            facts = table(text)
            usage.cpu_ns = facts[b"usage_usec"] * NS_PER_US
            _periods(usage, facts)
        if (text := self._read(UNIFIED, "cpu.max")) is not None:
            quota, period = text.split()
            usage.cpu_limit_cores = None if quota == b"max" else int(quota) / int(period)
        if (text := self._read(UNIFIED, "memory.stat")) is not None:
            facts = table(text)
            _faults(usage, facts, "pgfault", "pgmajfault")
            usage.private_bytes = facts.get(b"anon")
            if (held := self._read(UNIFIED, "memory.current")) is not None:
                usage.memory_bytes = max(0, int(held) - facts.get(b"inactive_file", 0))
        if (text := self._read(UNIFIED, "memory.max")) is not None:
            usage.memory_limit_bytes = None if text.strip() == b"max" else int(text)
        if (text := self._read(UNIFIED, "io.stat")) is not None:
            usage.read_bytes, usage.written_bytes = _io_stat(text)

    def _read(self, controller: str, name: str) -> bytes | None:
        if name in self._absent:
            return None
        file = self._files.get(name)
        if file is None:
            folder = self._group.folders.get(controller)
            file = _open(folder, name)
            if file is None:
                self._absent.add(name)
                return None
            self._files[name] = file
        return file.read()


def _open(folder: Path | None, name: str) -> KernelFile | None:
    if folder is None:
        return None
    with suppress(FileNotFoundError, PermissionError):
        return KernelFile(f"{folder}/{name}")
    return None


def _periods(usage: CgroupUsage, facts: dict[bytes, int]) -> None:
    usage.periods = facts.get(b"nr_periods")
    usage.throttled = facts.get(b"nr_throttled")


def _faults(usage: CgroupUsage, facts: dict[bytes, int], every: str, major: str) -> None:
    total, usage.faults_major = facts.get(every.encode()), facts.get(major.encode())
    if total is not None:
        usage.faults_minor = max(0, total - (usage.faults_major or 0))


def _blkio(text: bytes) -> tuple[int, int]:
    read = written = 0
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] == b"Read":
            read += int(fields[2])
        elif len(fields) == 3 and fields[1] == b"Write":
            written += int(fields[2])
    return read, written


def _io_stat(text: bytes) -> tuple[int, int]:
    read = written = 0
    for pair in text.split():
        name, _, value = pair.partition(b"=")
        if name == b"rbytes":
            read += int(value)
        elif name == b"wbytes":
            written += int(value)
    return read, written
