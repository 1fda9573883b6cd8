"""A program whose wall clock a file moves, by way of libfaketime; its monotonic clock stays.

Source: https://github.com/wolfcw/libfaketime (README, "Using FAKETIME_TIMESTAMP_FILE"). Standard
library only, since the reaper needs it too.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

FILE_VARIABLE = "FAKETIME_TIMESTAMP_FILE"
# Of a program with several threads, and of one with one in each of its processes.
_THREADED, _PLAIN = "faketime/libfaketimeMT.so.1", "faketime/libfaketime.so.1"
_PLACES = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))
_SHARED = Path("/dev/shm")  # noqa: S108 - the library chooses it


def find_library(*, threaded: bool = True) -> str:
    """Where Debian's package `faketime` and others put it; empty without it.

    Args:
        threaded: whether the program has threads.
    """
    library = _THREADED if threaded else _PLAIN
    for place in _PLACES:
        for pattern in (library, f"*/{library}"):
            for found in place.glob(pattern):
                return str(found)
    return ""


def variables(library: str, file: Path) -> tuple[tuple[str, str], ...]:
    """What a program must be started with for `file` to move its clock.

    Args:
        library: see `find_library`.
        file: seconds that the clock is ahead, as `ahead` writes them; read at each call.
    """
    return (
        ("LD_PRELOAD", library),
        (FILE_VARIABLE, str(file)),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    )


def ahead(step_s: float) -> str:
    """What stands in the file for a clock that is ahead by so many seconds."""
    return f"{step_s:+.3f}\n"


def sweep_shared(pid: int, shared: Path = _SHARED) -> None:
    """Remove what the library shares between processes, which a program that is killed leaves."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        with suppress(OSError):
            (shared / name).unlink(missing_ok=True)
