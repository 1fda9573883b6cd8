"""Reading the process table, with the standard library only: the reaper has no other.

Linux's /proc (proc(5)). Where it is missing, a pid alone identifies a
process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
RUN_VARIABLE = "HARNESS_RUN"
# Bytes of the arguments of one process; the kernel allows 2 MiB.
_ARGUMENTS_MAX = 2 * 1024 * 1024
_STATE, _PARENT, _START = (
    0,
    1,
    19,
)  # fields 3, 4 and 22 of proc_pid_stat(5), counted after the program's name


def _stat(pid: int) -> list[str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name may hold spaces and parentheses: the last one closes it.
    return text[text.rindex(")") + 2 :].split()


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 when it is gone or cannot be read.

    Together with the pid this names a process for good, since pids are used again.
    """
    fields = _stat(pid)
    return int(fields[_START]) if fields else 0


def age_ns(pid: int) -> int:
    """How long a process has run, to 10 ms; 0 when it is gone or cannot be read."""
    ticks = start_ticks(pid)
    try:
        uptime_s = float((PROC / "uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    started_s = ticks / os.sysconf("SC_CLK_TCK")
    return max(0, round((uptime_s - started_s) * 1_000_000_000)) if ticks else 0


def parent_of(pid: int) -> int:
    """The process that a process is a child of; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[_PARENT]) if fields else 0


def state_of(pid: int, ticks: int = 0) -> str:
    """A process's state by the kernel's letter (R, S, D, T, Z, ...); empty when it is gone.

    Args:
        pid: its number.
        ticks: its start as `start_ticks` gave it; 0 to take any process of that number.
    """
    fields = _stat(pid)
    if fields is None or ticks not in (0, int(fields[_START])):
        return ""
    return fields[_STATE]


def is_running(pid: int, ticks: int = 0) -> bool:
    """Whether this very process still runs; a zombie does not.

    Args:
        pid: its number.
        ticks: its start as `start_ticks` gave it; 0 to take any process of that number.
    """
    if not PROC.is_dir():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZX":
        return False
    return ticks in (0, int(fields[_START]))


def owners() -> set[int]:
    """Users that have a process."""
    found: set[int] = set()
    for pid in _pids():
        with suppress(OSError):
            found.add((PROC / str(pid)).stat().st_uid)
    return found


def find(token: str, folders: Iterable[str] = ()) -> set[int]:
    """Running processes that carry a run's mark or work inside one of its folders.

    The mark is an environment variable, which servers that set their title overwrite; those stay
    in their data folder, which is why both are asked.
    """
    mark = f"{RUN_VARIABLE}={token}".encode() if token else None
    roots = tuple(folder.rstrip("/") for folder in folders)
    return {pid for pid in _pids() if _is_marked(pid, mark) or _is_inside(pid, roots)}


def users_of(folder: str) -> set[int]:
    """Running processes that work in a folder, have a file in it open, or were started with it.

    What another user's process does may not be readable; it is then no user.
    """
    roots = (folder.rstrip("/"),)
    return {
        pid
        for pid in _pids()
        if _is_inside(pid, roots) or _has_open(pid, roots[0]) or _is_argument(pid, roots[0])
    }


def _has_open(pid: int, root: str) -> bool:
    place = PROC / str(pid) / "fd"
    with suppress(OSError):
        for name in os.listdir(place):  # noqa: PTH208 - a process may have many
            with suppress(OSError):
                target = os.readlink(place / name)  # noqa: PTH115 - may end in " (deleted)"
                if target == root or target.startswith(f"{root}/"):
                    return True
    return False


def _is_argument(pid: int, root: str) -> bool:
    with suppress(OSError), (PROC / str(pid) / "cmdline").open("rb") as file:
        return os.fsencode(root) in file.read(_ARGUMENTS_MAX)
    return False


def _pids() -> Iterator[int]:
    if not PROC.is_dir():
        return
    own = os.getpid()
    for entry in os.listdir(PROC):  # noqa: PTH208 - names are enough, and this runs often
        if entry.isdigit() and int(entry) != own and is_running(int(entry)):
            yield int(entry)


def _is_marked(pid: int, mark: bytes | None) -> bool:
    if mark is None:
        return False
    try:
        return mark in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _is_inside(pid: int, roots: tuple[str, ...]) -> bool:
    if not roots:
        return False
    try:
        place = os.readlink(PROC / str(pid) / "cwd")  # noqa: PTH115 - may end in " (deleted)"
    except OSError:
        return False
    return any(place == root or place.startswith(f"{root}/") for root in roots)
