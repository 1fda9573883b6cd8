"""Once a second: resource use of the harness's own processes and of the host.

A thread of the main process, from before the first signal until after the last. Each line states
its own cost (`cost_ns`): about half a millisecond of one core.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S, Clock
from harness.process.run_registry import OtherRuns, other_runs
from harness.process.usage import core_usages, load_1min, pressures_us, process_usage

EVERY_NS = NS_PER_S
_END_S = 5.0
# Counting other runs reads the whole process table: it may use a two-hundredth of a core.
_COUNT_PAUSE = 200


class SelfMonitor(threading.Thread):
    """Writes `vitals.jsonl`.

    Args:
        path: the file.
        pids: processes of the harness by name.
        clock: the host's clocks.
        find_runs: the other runs of a harness that are under way on this host.
    """

    def __init__(
        self,
        path: Path,
        pids: Mapping[str, int],
        clock: Clock,
        find_runs: Callable[[], OtherRuns] = other_runs,
    ) -> None:
        super().__init__(name="vitals", daemon=True)
        self._path = path
        self._pids = dict(pids)
        self._clock = clock
        self._find_runs = find_runs
        self._count_due_ns = 0
        self._ended = threading.Event()
        self._failure: str | None = None

    def run(self) -> None:
        due_ns = self._clock.now_ns()
        while True:
            is_last = self._ended.is_set()
            if not self._write(due_ns, is_last=is_last) or is_last:
                return
            due_ns = max(due_ns + EVERY_NS, self._clock.now_ns())
            self._ended.wait((due_ns - self._clock.now_ns()) / NS_PER_S)

    def stop(self) -> None:
        """Write one more line and end; may be called twice or before the start."""
        self._ended.set()
        if self.is_alive():
            self.join(_END_S)

    def failure(self) -> str | None:
        """Why it stopped writing; None when it did not."""
        return self._failure

    def _write(self, due_ns: int, *, is_last: bool) -> bool:
        found = sample(self._pids, self._clock, due_ns)
        if is_last or found["mono_ns"] >= self._count_due_ns:
            before_ns = time.thread_time_ns()
            runs = self._find_runs()
            found["other_runs"], found["unseen_runs"] = runs.count, runs.elsewhere
            cost_ns = time.thread_time_ns() - before_ns
            found["cost_ns"] += cost_ns
            self._count_due_ns = found["mono_ns"] + _COUNT_PAUSE * cost_ns
        line = json.dumps(found, separators=(",", ":"))
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            self._failure = f"{self._path.name} cannot be written: {error.strerror or error}"
            return False
        return True


def sample(pids: Mapping[str, int], clock: Clock, due_ns: int) -> dict[str, Any]:
    """The content of one line.

    Args:
        pids: processes by name; those that have ended are left out.
        clock: the host's clocks.
        due_ns: when the line was due; its delay shows how busy the host is.
    """
    cost_ns = time.thread_time_ns()
    before_ns = clock.now_ns()
    wall_ns = clock.wall_ns()
    read_ns = clock.now_ns() - before_ns
    found = {name: process_usage(pid) for name, pid in pids.items()}
    return {
        "mono_ns": before_ns + read_ns // 2,
        "wall_ns": wall_ns,
        "read_ns": read_ns,
        "late_ns": max(0, before_ns - due_ns),
        "load_1min": load_1min(),
        "cores": [asdict(core) for core in core_usages()],
        "pressure_us": pressures_us(),
        "processes": {name: asdict(usage) for name, usage in found.items() if usage is not None},
        "cost_ns": time.thread_time_ns() - cost_ns,
    }
