"""Private folders of a run, and sweeping up those of runs that died.

A lock on a file in it (flock(2)) shows which process owns a folder. The kernel releases the lock
when the process has ended, and only then. A process id would show less: in another container, with
processes of its own, it names none, or another one.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import secrets
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from harness.errors import StackError
from harness.process.launch import KEEP
from harness.process.proc import users_of
from harness.process.termination import remove, terminate_all
from harness.stack.server_user import User, server_user

PREFIX = "harness-stack-"
LOCK = "lock"
_SWEEP_MAX = 64
# Leftovers without a lock: mkdtemp's name, nothing changed for a day, PostgreSQL's thousand files.
_OLD_NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")
_OLD_S = 24 * 3600
_ENTRIES_MAX = 20_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
# Locks of this process, by the folder they lie in; open as long as the folder is its own.
_locks: dict[Path, int] = {}


def create_private_dir(base: Path | None = None) -> Path:
    """Make a new private folder, after sweeping up what dead runs left there.

    Args:
        base: where; the first temporary folder that the servers' user can reach if absent.

    Raises:
        StackError: it cannot be made.
    """
    try:
        base = base or _base(server_user())
        sweep_stale(base)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        claim_dir(folder)
    except OSError as error:
        raise StackError(
            f"no private folder can be made: {error}",
            where=str(base or "temporary folder"),
            hint="let TMPDIR name a folder with room that can be written",
        ) from error
    # For callers that fail before a stack makes the folder its own.
    atexit.register(remove, (str(folder),))
    return folder


def claim_dir(folder: Path) -> None:
    """Make a folder this process's until it ends, or until `release_dir`.

    Raises:
        StackError: it is another user's, or belongs to a run that is under way.
        OSError: it cannot be made.
    """
    if folder in _locks:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    own_dir(folder, server_user())
    place = os.open(folder, _FOLDER)
    try:
        if _is_locked(place):
            raise StackError("belongs to a run that is under way", where=str(folder))
        # Locked before it has its name: who sees an unlocked one sees a dead run's.
        draft = f".{LOCK}.{secrets.token_hex(4)}"
        lock = os.open(draft, _NEW, 0o600, dir_fd=place)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, f"{os.getpid()}\n".encode())
        os.rename(draft, LOCK, src_dir_fd=place, dst_dir_fd=place)
    finally:
        os.close(place)
    _locks[folder] = lock


def release_dir(folder: Path) -> None:
    """Let a folder go, once it is removed; harmless if it is not this process's."""
    if (lock := _locks.pop(folder, None)) is not None:
        os.close(lock)


def own_dir(folder: Path, user: User) -> None:
    """Make or use a folder of the caller's that `user` alone may pass through.

    Raises:
        StackError: there is one of another user.
        OSError: it cannot be made, or is no folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = os.open(folder, _FOLDER)
    try:
        if os.fstat(place).st_uid != os.geteuid():
            raise StackError("belongs to another user", where=str(folder))
        if user.gid != KEEP:
            os.fchown(place, KEEP, user.gid)
            os.fchmod(place, 0o710)
    finally:
        os.close(place)


def write_private(path: Path, text: str, reader: User | None = None) -> None:
    """Write a whole file that the caller, and a reader if there is one, can read.

    A file or a link that is there already is replaced and never followed.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, _NEW, 0o600), "w", encoding="utf-8") as file:
        if reader is not None and reader.gid != KEEP:
            os.fchown(file.fileno(), KEEP, reader.gid)
            os.fchmod(file.fileno(), 0o640)
        file.write(text)
    draft.replace(path)


def sweep_stale(base: Path) -> tuple[Path, ...]:
    """End what dead runs left running and remove their folders.

    Only folders of the calling user are touched: those with a lock that its owner has let go of,
    and those that a harness from before the lock has left.

    Returns:
        the folders that were swept.
    """
    swept: list[Path] = []
    for folder in sorted(base.glob(f"{PREFIX}*")):
        if len(swept) >= _SWEEP_MAX:
            break
        lock = _seize(folder)
        if lock is None and not _is_abandoned(folder, time.time()):
            continue
        try:
            if lock is not None:
                terminate_all((), "", (str(folder),), 1.0)
            remove((str(folder),))
        finally:
            if lock is not None:
                os.close(lock)
        swept.append(folder)
    return tuple(swept)


def _is_abandoned(folder: Path, now_s: float) -> bool:
    """Whether a folder without a lock is a leftover of a harness from before there were locks.

    Such a folder has nothing that the kernel holds. So everything in it must be older than a day:
    a container's processes are not seen here, but a server that runs there writes. And no process
    of this host may use it.
    """
    if not _OLD_NAME.fullmatch(folder.name):
        return False
    try:
        place = os.open(folder, _FOLDER)
        try:
            is_own = os.fstat(place).st_uid == os.geteuid()
            if not is_own or LOCK in os.listdir(place):  # noqa: PTH208 - pathlib opens no descriptor
                return False
        finally:
            os.close(place)
        newest_s = _newest_s(folder)
    except OSError:
        return False
    return newest_s is not None and now_s - newest_s > _OLD_S and not users_of(str(folder))


def _newest_s(folder: Path) -> float | None:
    """When anything in a folder was changed last; None if there is too much to look at.

    Raises:
        OSError: a part of it cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    newest_s, number = folder.lstat().st_ctime, 0
    for place, folders, files in os.walk(folder, onerror=refuse):
        number += len(folders) + len(files)
        if number > _ENTRIES_MAX:
            return None
        for name in (*folders, *files):
            newest_s = max(newest_s, Path(place, name).lstat().st_ctime)
    return newest_s


def _seize(folder: Path) -> int | None:
    """The acquired lock of a folder whose owner is gone; None for any other folder."""
    with suppress(OSError):
        place = os.open(folder, _FOLDER)
        try:
            if os.fstat(place).st_uid == os.geteuid():
                return _take(place)
        finally:
            os.close(place)
    return None


def _take(place: int) -> int | None:
    lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _is_locked(place: int) -> bool:
    try:
        lock = _take(place)
    except FileNotFoundError:
        return False
    if lock is not None:
        os.close(lock)
    return lock is None


def _base(user: User) -> Path:
    # Python falls back to another folder where TMPDIR cannot be used, without a message.
    named = os.environ.get("TMPDIR")
    if named and not (Path(named).is_dir() and os.access(named, os.W_OK | os.X_OK)):
        raise StackError(
            "TMPDIR names no folder that can be written",
            where=named,
            hint="make it, name another one, or unset TMPDIR",
        )
    for text in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes it safe
        if user.reaches(Path(text)):
            return Path(text)
    return Path(tempfile.gettempdir())
