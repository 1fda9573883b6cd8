"""The swarm as the run sees it: processes that are started, listened to and stopped.

Nothing of Locust or gevent is imported here; they live in the processes.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from harness.load.status import Status, SwarmTotals, sum_statuses
from harness.process.child import ChildProcess
from harness.schedule.plan import SwarmPlan

MODULE = "harness.load.worker"
# A process that is told to end awaits the last answers and lets its agents leave.
STOP_TIMEOUT_S = 10.0


class Swarm:
    """All processes of one swarm.

    Args:
        plan: what the swarm is told; `process` is filled in for each of them.
        logs: folder for their logs.
        keep: file that takes their status lines; None to keep none.
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
        """What the processes said last, summed."""
        return sum_statuses(child.latest for child in self._children if child.latest)

    def statuses(self) -> tuple[Status | None, ...]:
        """The newest status line of each process, with what it was granted by the kernel."""
        return tuple(child.latest for child in self._children)

    def ended(self) -> bool:
        """Whether every process is gone."""
        return all(child.poll() is not None for child in self._children)

    def failure(self) -> str | None:
        """Why a process did not end as it should; None while all run or when all did."""
        found = [text for child in self._children if (text := _failure(child))]
        return "; ".join(found) or None

    def stop(self) -> None:
        """End what still runs, within seconds, and take in its last words."""
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
    """Why a process that ended so did not end well; None when it did.

    Args:
        name: what people call it.
        code: exit code; negative for the signal that ended it.
        latest: its newest status line.
    """
    said = latest or {}
    if error := said.get("error"):
        return f"{name}: {error}"
    if code < 0:
        return f"{name} was ended by {signal.Signals(-code).name}"
    if code > 0:
        return f"{name} ended with exit code {code}"
    if said.get("kind") != "done":
        return f"{name} ended without a last word"
    return None
