"""`disk_fill`: the file system of a service's data has no room left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import StackError
from harness.faults.docker.container_inspection import own_device
from harness.faults.docker.container_program import OVERTIME_S, Folder
from harness.faults.instance import FaultInstance, HealthCheck, injection
from harness.process.launch import command
from harness.scenario.fault_base import FaultBase, Length, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import OwnDiskTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory

_END_MAX_S = 5
_PROBE_BYTES = 1 << 16
# The service itself may have used some since.
_BACK_SHARE = 0.5

# The file has no name, so that its blocks are free again however the program ends. Blocks that the
# service frees meanwhile are allocated too. Nothing is written.
_FILL = """
import errno, os, sys, time
end = time.monotonic() + float(sys.argv[2])
file = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)
size = 0
while time.monotonic() < end:
    step = 1 << 26
    while step >= 4096:
        try:
            os.posix_fallocate(file, size, step)
            size += step
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            step //= 2
    time.sleep(0.02)
"""


@fault("disk_fill")
class DiskFill(FaultBase):
    """The file system that the service's data lies on has no room left for `for_s`."""

    targets: ClassVar[TargetRule] = OwnDiskTarget()
    disruptive: ClassVar[bool] = True
    drawn: ClassVar = "by_name"
    needs_own_disk: ClassVar[bool] = True

    kind: Literal["disk_fill"]
    for_s: Length


@injection(DiskFill, "docker")
def _fill(fault: DiskFill, on: DockerFaultFactory) -> FaultInstance:
    inside = on.inside(fault.target)
    return FaultInstance(
        FillInjector(inside.folder, fault.for_s), FillProbe(inside.folder, inside.health_check)
    )


@dataclass
class FillInjector:
    """A program of this host that holds all free blocks; it outlives a service that restarts."""

    folder: Folder
    for_s: float
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def inject(self) -> None:
        folder = self.folder()
        own_device(folder)
        seconds = str(self.for_s + OVERTIME_S)
        program = (sys.executable, "-I", "-S", "-c", _FILL, str(folder), seconds)
        argv = command(program, parent=os.getpid(), death_signal=signal.SIGKILL)
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise StackError(f"cannot be started: {error}", where="disk_fill") from error

    def heal(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(_END_MAX_S)


@dataclass
class FillProbe:
    """Tries to write to the file system, by a descriptor that outlives the service's process."""

    folder: Folder
    health_check: HealthCheck | None
    _place: int = field(default=-1, init=False)
    _free: int = field(default=0, init=False)
    _close: weakref.finalize[[int], FillProbe] | None = field(default=None, init=False)

    def before(self) -> None:
        folder = self.folder()
        own_device(folder)
        self._place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._close = weakref.finalize(self, os.close, self._place)
        if why := self._refused():
            raise StackError(f"cannot be written to before its fault: {why}", where=str(folder))
        self._free = free_bytes(self._place)

    def holds(self) -> str:
        if self._refused() != os.strerror(errno.ENOSPC):
            return ""
        free, before = free_bytes(self._place), self._free
        return (
            f"a write of {_PROBE_BYTES >> 10} KiB to its file system has no room:"
            f" {free >> 20:,} MiB are free, {before >> 20:,} MiB before"
        )

    def ended(self) -> str:
        free = free_bytes(self._place)
        if self._refused() or free < _BACK_SHARE * self._free:
            return ""
        answer = self.health_check() if self.health_check else "it can be written to"
        if not answer:
            return ""
        if self._close is not None:
            self._close()
        return f"{free >> 20:,} MiB are free again; {answer}"

    def _refused(self) -> str:
        """Why a small file without a name cannot be written; empty if it can."""
        try:
            file = os.open(f"/proc/self/fd/{self._place}", os.O_TMPFILE | os.O_RDWR, 0o600)
        except OSError as error:
            return os.strerror(error.errno or 0)
        try:
            done = os.write(file, bytes(_PROBE_BYTES))
            os.fdatasync(file)
        except OSError as error:
            return os.strerror(error.errno or 0)
        finally:
            os.close(file)
        return "" if done == _PROBE_BYTES else os.strerror(errno.ENOSPC)


def free_bytes(place: int) -> int:
    """What is free in the file system of an open folder."""
    room = os.fstatvfs(place)
    return room.f_bavail * room.f_frsize
