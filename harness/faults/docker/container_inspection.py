"""Looking at a container from this host: its control groups and its network namespace."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.clock import NS_PER_S, SystemClock
from harness.errors import StackError
from harness.process.cgroup import controller_folder, read_limits
from harness.stack.docker.loop_devices import LOOP_MAJOR

_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
_COMMAND_MAX_S = 5.0


def group_of(pid: int, controller: str) -> Path:
    """The folder of a process's control group; of version 1 that of one controller.

    Raises:
        StackError: the process is gone, or it has none.
    """
    try:
        folder = controller_folder(pid, controller, proc=_PROC, root=_GROUPS)
    except (OSError, ValueError) as error:
        raise StackError(f"process {pid} is gone: {error}", where="cgroup") from error
    if folder is None:
        raise StackError(f"process {pid} is in no group of {controller}", where="cgroup")
    return folder


def is_frozen(pid: int) -> bool:
    """Whether the kernel has frozen every process of a container."""
    group = group_of(pid, "freezer")
    state = _text(group / "freezer.state")
    if state:
        return state.strip() == "FROZEN"
    return "frozen 1" in _text(group / "cgroup.events").splitlines()


def oom_kills(pid: int) -> int:
    """How many processes of a container the kernel has ended for want of memory."""
    group = group_of(pid, "memory")
    text = _text(group / "memory.oom_control") or _text(group / "memory.events")
    for line in text.splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def cpu_used_ns(pid: int) -> int:
    """Processor time that a container's processes have used together."""
    group = group_of(pid, "cpuacct")
    if usage := _text(group / "cpuacct.usage"):
        return int(usage)
    for line in _text(group / "cpu.stat").splitlines():
        if line.startswith("usage_usec "):
            return int(line.split()[1]) * 1_000
    return 0


def cores_used(pid: int, over_s: float) -> float:
    """How many cores a container keeps busy, over so many seconds."""
    clock = SystemClock()
    begun_ns, used_ns = clock.now_ns(), cpu_used_ns(pid)
    clock.sleep_ns(round(over_s * NS_PER_S))
    return (cpu_used_ns(pid) - used_ns) / max(1, clock.now_ns() - begun_ns)


def cores_allowed(pid: int) -> float:
    """How many cores a container may keep busy; infinity without a quota."""
    limits = read_limits(pid)
    if limits.cpu_quota_us is None:
        return math.inf
    return limits.cpu_quota_us / limits.cpu_period_us


def members(pid: int) -> tuple[int, ...]:
    """Every process of a container, those started by `docker exec` too."""
    text = _text(group_of(pid, "memory") / "cgroup.procs")
    return tuple(int(pid) for pid in text.split())


def tasks_allowed(pid: int) -> float:
    """How many tasks a container may have; infinity without a limit."""
    try:
        text = _text(group_of(pid, "pids") / "pids.max").strip()
    except StackError:
        return math.inf
    return int(text) if text.isdecimal() else math.inf


def marked(pid: int, mark: str) -> tuple[int, ...]:
    """The processes of a container whose command line holds a mark."""
    return tuple(one for one in members(pid) if mark in _text(_PROC / str(one) / "cmdline"))


def memory_limit_bytes(pid: int) -> int | None:
    """The limit in force; None for none."""
    return read_limits(pid).memory_bytes


def entering_network_of(pid: int, *argv: str) -> tuple[str, ...]:
    """The command line that runs a command of this host in a process's network namespace.

    Raises:
        StackError: this host cannot enter one.
    """
    program = shutil.which("nsenter")
    if program is None:
        raise StackError("is not installed", where="nsenter", hint="it comes with util-linux")
    return (program, "--target", str(pid), "--net", "--", *argv)


def in_network_of(pid: int, *argv: str) -> tuple[int, str]:
    """Run a command of this host in a process's network namespace; exit code and output.

    Raises:
        StackError: it cannot be run, or does not end.
    """
    entered = entering_network_of(pid, *argv)
    try:
        done = subprocess.run(
            entered,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_MAX_S,
            check=False,
        )
    except OSError as error:
        raise StackError(f"cannot be run: {error}", where=argv[0]) from error
    except subprocess.TimeoutExpired as error:
        raise StackError(f"has not ended after {_COMMAND_MAX_S:.0f} s", where=argv[0]) from error
    return done.returncode, done.stdout + done.stderr


def container_pid(of: Callable[[], int]) -> int:
    """The first process of a container.

    Raises:
        StackError: it does not run.
    """
    pid = of()
    if not pid:
        raise StackError("does not run", where="fault")
    cpu_used_ns(pid)
    return pid


def own_device(folder: Path) -> tuple[int, int]:
    """Major and minor number of the loop device that a folder lies on.

    Raises:
        StackError: it lies on another one, which may be the host's, or is not there.
    """
    try:
        device = folder.stat().st_dev
    except OSError as error:
        raise StackError(f"cannot be reached: {error.strerror}", where=str(folder)) from error
    if os.major(device) != LOOP_MAJOR:
        raise StackError("does not lie on a file system of its own", where=str(folder))
    return os.major(device), os.minor(device)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
