"""Programs that a fault starts inside a container: how they are known, and ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StackError
from harness.faults.docker.container_inspection import marked
from harness.faults.instance import HealthCheck

# In the command line of each of them.
MARK = "signal-harness-hog"
# A program ends by itself some time after it should have been ended.
OVERTIME_S = 30

# Starts a program inside the container and leaves it running.
Execute = Callable[[list[str]], None]
# The container's first process on this host; 0 while it does not run.
Pid = Callable[[], int]
# Its data on its own disk, as this host reaches it; an error while it is away.
Folder = Callable[[], Path]


@dataclass(frozen=True, slots=True)
class ContainerAccess:
    """One container, as faults within it reach it.

    Attributes:
        execute: starts a program in it.
        pid: its first process on this host.
        folder: its data on its own disk.
        health_check: whether its service answers; None where it cannot be asked.
    """

    execute: Execute
    pid: Pid
    folder: Folder
    health_check: HealthCheck | None


def end_programs(pid_of: Pid) -> None:
    """End every program of a fault in a container; none there is no error."""
    with suppress(StackError):
        if pid := pid_of():
            for program in marked(pid, MARK):
                with suppress(ProcessLookupError):
                    os.kill(program, signal.SIGKILL)


def programs_ended(pid_of: Pid, health_check: HealthCheck | None) -> str:
    """What shows that no program is left in a container and that it works; empty until then."""
    pid = pid_of()
    if not pid or marked(pid, MARK):
        return ""
    answer = health_check() if health_check else "it runs"
    return f"no hog is in its control group; {answer}" if answer else ""
