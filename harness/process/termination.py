"""Ending processes that one is answerable for, within a bounded time."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from harness.process.proc import find, is_running, start_ticks

GRACE_S = 3.0
_POLL_S = 0.02
_ROUNDS_MAX = 5


@dataclass(frozen=True, slots=True)
class TrackedProcess:
    """A process to end.

    Attributes:
        pid: its number.
        ticks: its start, see `harness.process.proc.start_ticks`.
        stop_signal: what asks it to end.
    """

    pid: int
    ticks: int
    stop_signal: int = signal.SIGTERM

    def send(self, number: int) -> None:
        """Send a signal, unless the process is gone or another one has its number."""
        if is_running(self.pid, self.ticks):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)


def terminate_all(
    tracked: Iterable[TrackedProcess], token: str, folders: Iterable[str], grace_s: float
) -> None:
    """End processes, then all that carry the run's mark.

    The processes known by their number are asked and have some time to end in order, their
    children with them. Whoever is there after that is a stray and gets SIGKILL at once, as a
    container's processes do when its first one has ended.

    Args:
        tracked: those known by their number.
        token: the run's mark; empty for none.
        folders: whoever works inside them is ended too.
        grace_s: time between the polite signal and SIGKILL.
    """
    tracked, folders = tuple(tracked), tuple(folders)
    for process in tracked:
        process.send(process.stop_signal)
    _wait(tracked, grace_s)
    for _ in range(_ROUNDS_MAX):  # a process may have had children in between
        strays = tuple(TrackedProcess(pid, start_ticks(pid)) for pid in find(token, folders))
        rest = tuple(c for c in tracked if is_running(c.pid, c.ticks)) + strays
        if not rest:
            return
        for process in rest:
            process.send(signal.SIGKILL)
        _wait(rest, 1.0)


def remove(folders: Iterable[str]) -> None:
    """Remove folders with all they hold; what cannot be removed is left."""
    for folder in folders:
        for _ in range(_ROUNDS_MAX):  # a dying server may still be writing its last file
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.lexists(folder):
                break
            time.sleep(_POLL_S)


def _wait(tracked: tuple[TrackedProcess, ...], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not any(is_running(process.pid, process.ticks) for process in tracked):
            return
        time.sleep(_POLL_S)
