"""The reaper: a process of its own that ends what a run started when the run cannot.

It reads lines of JSON from a pipe whose other end the harness holds. When the harness is gone, by
whatever way, the pipe ends. The reaper then ends every registered process, removes the folders and
exits. Started by path with the bare interpreter, so that it reads at once: hence it and what it
imports use the standard library only.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

if __name__ == "__main__":
    # Last: an installed package lies among others, none of which may replace a standard module.
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from harness.process.faketime import sweep_shared
from harness.process.termination import GRACE_S, TrackedProcess, remove, terminate_all


def read_registrations(
    lines: Iterable[bytes],
) -> tuple[tuple[TrackedProcess, ...], tuple[str, ...]]:
    """Read messages until the pipe ends.

    Returns:
        the processes that are still registered, and the folders.
    """
    tracked: dict[int, TrackedProcess] = {}
    folders: list[str] = []
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:  # the writer died within a line
            continue
        match message:
            case {"watch": int(pid), "ticks": int(ticks), "signal": int(number)}:
                tracked[pid] = TrackedProcess(pid, ticks, number)
            case {"forget": int(pid)}:
                tracked.pop(pid, None)
            case {"folder": str(folder)}:
                folders.append(folder)
    return tuple(tracked.values()), tuple(folders)


def main() -> None:
    """Wait for the end of the harness and clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    token = sys.argv[1]
    tracked, folders = read_registrations(sys.stdin.buffer)
    terminate_all(tracked, token, folders, GRACE_S)
    for process in tracked:
        sweep_shared(process.pid)
    remove(folders)


if __name__ == "__main__":
    main()
