"""The swarm as seen by the run: starts, monitors and stops its processes.

Locust and gevent are not imported here, only in the processes.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from harness.load.status import Status, SwarmTotals, sum_statuses
from harness.process.child import ChildProcess
from harness.schedule.plan import SwarmPlan

MODULE = "harness.load.worker"
# After SIGTERM a process waits for the last answers and for its agents.
STOP_TIMEOUT_S = 10.0


class Swarm:
    """All processes of one swarm.

    Args:
        plan: of the swarm; `process` is set for each of them.
        logs: folder of their logs.
        keep: file for their status lines; None to keep none.
    """

    def __init__(self, plan: SwarmPlan, logs: Path, keep: Path | None = None) -> None:
        self._children = [
            ChildProcess(
                MODULE,
                plan.model_copy(update={"process": number}).to_stdin(),
                logs / f"swarm-{number}.log",
                f"swarm-{number}",
                keep=keep,
            )
            for number in range(plan.load.processes)
        ]

    @property
    def children(self) -> tuple[ChildProcess, ...]:
        """The processes."""
        return tuple(self._children)

    def start(self) -> None:
        """Start every process; they wait for the plan's t0 by themselves.

        Raises:
            StackError: one cannot be started.
        """
        for child in self._children:
            child.start()

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {child.name: child.pid for child in self._children}

    def totals(self) -> SwarmTotals:
        """Sums of the newest status of each process."""
        return sum_statuses(child.latest for child in self._children if child.latest)

    def statuses(self) -> tuple[Status | None, ...]:
        """The newest status line of each process, its kernel settings included."""
        return tuple(child.latest for child in self._children)

    def ended(self) -> bool:
        """Whether every process has ended."""
        return all(child.poll() is not None for child in self._children)

    def failure(self) -> str | None:
        """Why a process failed; None while all run and after a regular end."""
        found = [text for child in self._children if (text := _failure(child))]
        return "; ".join(found) or None

    def stop(self) -> None:
        """End running processes within seconds, and read their last status."""
        for child in self._children:
            if child.poll() is None and child.pid:
                os.kill(child.pid, signal.SIGTERM)
        for child in self._children:
            child.stop(STOP_TIMEOUT_S)


def _failure(child: ChildProcess) -> str | None:
    code = child.poll()
    if code is None:
        return None
    child.wait(0.0)
    return describe_end(child.name, code, child.latest)


def describe_end(name: str, code: int, latest: Status | None) -> str | None:
    """Why a process failed, by its exit code and status; None after a regular end.

    Args:
        name: of the process.
        code: exit code; negative for the signal that ended it.
        latest: its newest status line.
    """
    status = latest or {}
    if error := status.get("error"):
        return f"{name}: {error}"
    if code < 0:
        return f"{name} was ended by {signal.Signals(-code).name}"
    if code > 0:
        return f"{name} ended with exit code {code}"
    if status.get("kind") != "done":
        return f"{name} ended without a final status"
    return None
