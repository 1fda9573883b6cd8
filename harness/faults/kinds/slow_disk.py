"""`slow_disk`: a service's file system performs few writes a second."""

from __future__ import annotations

import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.clock import NS_PER_MS, NS_PER_S
from harness.errors import StackError
from harness.faults.docker.container_inspection import container_pid, group_of, own_device
from harness.faults.docker.container_program import Folder, Pid
from harness.faults.instance import FaultInstance, HealthCheck, injection
from harness.scenario.fault_base import FaultBase, Length, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import OwnDiskTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory

_V1, _V2 = "blkio.throttle.write_iops_device", "io.max"
_WRITES = 3
_POLL_MAX_S = 4.0
# Shares of the time between two writes at that rate.
_FORCE = 0.5
_AT_REST = 0.4

# Joins the service's control group, which alone is slow, and writes as it does. Prints ns.
_TIME = """
import os, sys, time
with open(sys.argv[1] + "/cgroup.procs", "w") as group:
    group.write(str(os.getpid()))
file = os.open(sys.argv[2], os.O_TMPFILE | os.O_RDWR)
for place in range(int(sys.argv[3])):
    begun = time.monotonic_ns()
    os.pwrite(file, bytes(4096), place * 4096)
    os.fdatasync(file)
    print(time.monotonic_ns() - begun, flush=True)
"""


@fault("slow_disk")
class SlowDisk(FaultBase):
    """The service's file system performs so few writes a second that each waits for its turn.

    Attributes:
        writes_per_s: what the whole service has.
    """

    targets: ClassVar[TargetRule] = OwnDiskTarget()
    drawn: ClassVar = "by_name"
    needs_own_disk: ClassVar[bool] = True

    kind: Literal["slow_disk"]
    writes_per_s: Annotated[int, Field(ge=5, le=1_000)] = 10
    for_s: Length


@injection(SlowDisk, "docker")
def _throttle(fault: SlowDisk, on: DockerFaultFactory) -> FaultInstance:
    inside = on.inside(fault.target)
    return FaultInstance(
        ThrottleInjector(inside.folder, inside.pid, fault.writes_per_s),
        ThrottleProbe(inside.folder, inside.pid, inside.health_check, fault.writes_per_s),
    )


@dataclass
class ThrottleInjector:
    """A limit of the kernel for one device in the container's control group, and gone with it.

    Only what the service's processes write themselves waits; the journal's thread does not, so
    no other process waits.
    """

    folder: Folder
    pid: Pid
    writes_per_s: int
    _file: Path | None = field(default=None, init=False)
    _device: str = field(default="", init=False)

    def inject(self) -> None:
        major, minor = own_device(self.folder())
        group = io_group(container_pid(self.pid))
        self._device = f"{major}:{minor}"
        self._file = group / (_V1 if (group / _V1).exists() else _V2)
        self._set(str(self.writes_per_s))

    def heal(self) -> None:
        if self._file is not None:
            with suppress(StackError):  # a group that is gone took its limit along
                self._set("0" if self._file.name == _V1 else "max")

    def _set(self, limit: str) -> None:
        assert self._file is not None  # noqa: S101 - who sets has chosen
        setting = limit if self._file.name == _V1 else f"wiops={limit}"
        try:
            self._file.write_text(f"{self._device} {setting}\n", encoding="ascii")
        except OSError as error:
            raise StackError(f"refuses: {error.strerror}", where=str(self._file)) from error


@dataclass
class ThrottleProbe:
    """Times a write with fdatasync from within the service's control group."""

    folder: Folder
    pid: Pid
    health_check: HealthCheck | None
    writes_per_s: int
    _before_ns: int = field(default=0, init=False)

    def before(self) -> None:
        container_pid(self.pid)
        found = time_writes(self.pid, self.folder)
        if found is None:
            raise StackError("cannot be written to before its fault", where="slow_disk")
        if found > _AT_REST * self._turn_ns:
            raise StackError(
                f"takes {found / NS_PER_MS:.0f} ms for a write before its fault, so that"
                f" {self.writes_per_s} a second would not show",
                where="slow_disk",
                hint="choose a smaller writes_per_s",
            )
        self._before_ns = found

    def holds(self) -> str:
        found = time_writes(self.pid, self.folder)
        if found is None or found < _FORCE * self._turn_ns:
            return ""
        return f"a write with fdatasync takes {_ms(found)}, {_ms(self._before_ns)} before"

    def ended(self) -> str:
        found = time_writes(self.pid, self.folder)
        if found is None or found > _AT_REST * self._turn_ns:
            return ""
        answer = self.health_check() if self.health_check else "it runs"
        return f"a write with fdatasync takes {_ms(found)}; {answer}" if answer else ""

    @property
    def _turn_ns(self) -> int:
        return NS_PER_S // self.writes_per_s


def io_group(pid: int) -> Path:
    """The control group that counts a process's input and output.

    Raises:
        StackError: the process is gone, or there is none.
    """
    return group_of(pid, "blkio")


def time_writes(pid: Pid, folder: Folder) -> int | None:
    """The median time in ns of a few small writes with fdatasync; None if it cannot be had."""
    try:
        where = (str(io_group(container_pid(pid))), str(folder()))
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TIME, *where, str(_WRITES)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_POLL_MAX_S,
            check=False,
        )
    except (StackError, OSError, subprocess.TimeoutExpired):
        return None
    return median_ns(done.stdout)


def median_ns(output: str) -> int | None:
    """The median of the times that the program printed; None unless it printed all."""
    times = [int(text) for text in output.split() if text.isdecimal()]
    return int(statistics.median(times)) if len(times) == _WRITES else None


def _ms(time_ns: int) -> str:
    return f"{time_ns / NS_PER_MS:.1f} ms"
