"""Which runs of a harness are under way on this host.

A run shows itself in two ways. Its process has a name that others read in /proc. And it holds a
lock (flock(2)) on a file in the temporary folder: a run in a container, with processes of its own
(pid_namespaces(7)), sees the lock if it shares that folder. The kernel releases the lock when the
process has ended, and only then.

The file has a random name, is created anew and never followed, and only files of the calling user
count: another user can neither replace it nor pretend to have a run.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.clock import NS_PER_S
from harness.errors import StackError
from harness.file_lock import lock_within
from harness.process.proc import PROC, parent_of, state_of

# The kernel keeps 15 characters of it.
RUN_NAME = "harness-run"
_MARKER = re.compile(r"harness-run-(\d+)-[0-9a-f]{16}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MARKERS_MAX = 256


@dataclass(frozen=True, slots=True)
class OtherRuns:
    """Runs that are under way, without the calling process's own.

    Attributes:
        pids: their processes, as far as this process sees them.
        elsewhere: number of runs in other PID namespaces, whose processes it does not see.
    """

    pids: tuple[int, ...] = ()
    elsewhere: int = 0

    @property
    def count(self) -> int:
        """How many."""
        return len(self.pids) + self.elsewhere


@contextmanager
def registered_run(place: Path | None = None) -> Iterator[None]:
    """Show others that this process has a run under way.

    Args:
        place: where the lock lies; the temporary folder by default.
    """
    own = PROC / "self" / "comm"
    before = ""
    with suppress(OSError):
        before = own.read_text(encoding="utf-8", errors="replace").strip()
        own.write_text(RUN_NAME, encoding="ascii")
    place = place or Path(tempfile.gettempdir())
    marker = None
    with suppress(OSError):  # a full or read-only folder costs the notice to others, no run
        marker = _create_marker(place)
    try:
        yield
    finally:
        if marker is not None:
            name, lock = marker
            with suppress(OSError):
                (place / name).unlink()
            os.close(lock)
        with suppress(OSError):
            own.write_text(before, encoding="utf-8")


@contextmanager
def run_turn(timeout_s: float, place: Path | None = None) -> Iterator[None]:
    """Run alone among all blocks of this kind: one at a time per user and temporary folder.

    Args:
        timeout_s: how long to wait for the others, in seconds.
        place: where the lock lies; the temporary folder by default.

    Raises:
        StackError: the others did not end in time, or the lock cannot be used.
    """
    path = (place or Path(tempfile.gettempdir())) / f"harness-turn-{os.geteuid()}"
    try:
        lock = os.open(path, _LOCK, 0o600)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    try:
        found = os.fstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise _unusable(path, "is no file of this user")
        if not lock_within(lock, round(timeout_s * NS_PER_S)):
            raise StackError(
                f"another run did not end within {timeout_s:g} s",
                where=str(path),
                hint="end it, or wait longer",
            )
        yield
    finally:
        os.close(lock)  # releases it; the file stays, so that no process locks a removed one


def _unusable(path: Path, why: str) -> StackError:
    hint = "set TMPDIR to a folder of your own"
    return StackError(f"cannot be used as a lock: {why}", where=str(path), hint=hint)


def other_runs(place: Path | None = None) -> OtherRuns:
    """The runs that are under way now.

    Args:
        place: where their locks lie; the temporary folder by default.
    """
    pids = _named_processes()
    seen = {_namespace(pid) for pid in pids} | {_namespace("self")}
    with suppress(OSError):
        held = _held_markers(place or Path(tempfile.gettempdir()))
        return OtherRuns(pids, sum(namespace not in seen for namespace in held))
    return OtherRuns(pids)


def _named_processes() -> tuple[int, ...]:
    named = set[int]()
    with suppress(OSError):
        for name in os.listdir(PROC):  # noqa: PTH208 - names are enough, and this runs often
            if name.isdigit() and _comm(name) == RUN_NAME.encode():
                named.add(int(name))
    # Between fork and exec a child has the name of its parent.
    others = (pid for pid in named - {os.getpid()} if parent_of(pid) not in named)
    return tuple(sorted(pid for pid in others if state_of(pid) not in ("", "Z", "X")))


def _comm(name: str) -> bytes:
    with suppress(OSError):
        fd = os.open(f"{PROC}/{name}/comm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 32).strip()
        finally:
            os.close(fd)
    return b""


def _namespace(process: int | str) -> str:
    """Number of a process's PID namespace; empty when it may not be read."""
    with suppress(OSError):
        found = os.readlink(PROC / str(process) / "ns" / "pid")  # noqa: PTH115 - leads to no file
        return re.sub(r"\D", "", found)
    return ""


def _create_marker(place: Path) -> tuple[str, int]:
    """Name and held lock of a new file; the files of ended runs are removed first.

    Raises:
        OSError: it cannot be created.
    """
    _held_markers(place, sweep=True)
    name = f"harness-run-{_namespace('self') or 0}-{secrets.token_hex(8)}"
    folder = os.open(place, _FOLDER)
    try:
        # Locked before it has its name: an unlocked one is that of an ended run.
        lock = os.open(f".{name}", _NEW, 0o600, dir_fd=folder)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(f".{name}", name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)
    return name, lock


def _held_markers(place: Path, *, sweep: bool = False) -> list[str]:
    """PID namespaces of the runs that hold a lock, one for each run.

    Args:
        place: where the locks lie.
        sweep: whether to remove the files of ended runs.

    Raises:
        OSError: the folder cannot be read.
    """
    held = list[str]()
    folder = os.open(place, _FOLDER)
    try:
        names = os.listdir(folder)  # noqa: PTH208 - pathlib opens no descriptor
        for match in filter(None, map(_MARKER.fullmatch, names)):
            if len(held) >= _MARKERS_MAX:
                break
            with suppress(OSError):
                if _is_held(match[0], folder):
                    held.append(match[1])
                elif sweep:
                    os.unlink(match[0], dir_fd=folder)
    finally:
        os.close(folder)
    return held


def _is_held(name: str, folder: int) -> bool:
    """Whether a process holds the lock of a file of this user.

    Raises:
        OSError: it is none, or cannot be opened.
    """
    fd = os.open(name, _READ, dir_fd=folder)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(name)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
