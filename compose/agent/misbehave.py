"""Misbehaving on demand, so that isolation can be tried with real containers."""

from __future__ import annotations

import os

_MIB = 1 << 20
_LOOPS = 200_000


def hog_memory(mebibytes: int) -> list[bytes]:
    """Take so much memory and touch every page of it; keep the answer to keep the memory.

    Beyond its limit the container is killed before this returns.
    """
    # Written, not zeroed: untouched zero pages take no memory.
    return [b"\1" * _MIB for _ in range(mebibytes)]


def burn_cpu(processes: int) -> list[int]:
    """Keep so many cores busy, in child processes that end with this one; their pids.

    More than one is needed to run against a quota of one core.
    """
    parent = os.getpid()
    return [_burner(parent) for _ in range(processes)]


def _burner(parent: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    while os.getppid() == parent:
        for _ in range(_LOOPS):
            pass
    os._exit(0)
