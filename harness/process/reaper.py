"""The warden: a process of its own that ends what a run started when the run can not.

It reads lines of JSON from a pipe whose other end the harness holds. When the harness is gone, by
whatever way, the pipe ends, and the warden ends every process it was told of, removes the
folders, and is gone too. Started by path with the bare interpreter: it must be up at once.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.process.faketime import sweep_shared
from harness.process.termination import GRACE_S, TrackedProcess, remove, terminate_all


def read_registrations(
    lines: Iterable[bytes],
) -> tuple[tuple[TrackedProcess, ...], tuple[str, ...]]:
    """Follow what the harness tells until it stops telling.

    Returns:
        the processes that were not forgotten, and the folders.
    """
    charges: dict[int, TrackedProcess] = {}
    folders: list[str] = []
    for line in lines:
        try:
            word = json.loads(line)
        except ValueError:  # the writer died within a line
            continue
        match word:
            case {"watch": int(pid), "ticks": int(ticks), "signal": int(number)}:
                charges[pid] = TrackedProcess(pid, ticks, number)
            case {"forget": int(pid)}:
                charges.pop(pid, None)
            case {"folder": str(folder)}:
                folders.append(folder)
    return tuple(charges.values()), tuple(folders)


def main() -> None:
    """Wait for the end of the harness and clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    token = sys.argv[1]
    charges, folders = read_registrations(sys.stdin.buffer)
    terminate_all(charges, token, folders, GRACE_S)
    for charge in charges:
        sweep_shared(charge.pid)
    remove(folders)


if __name__ == "__main__":
    main()
