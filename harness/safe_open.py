"""Opens untrusted evidence: regular files only, up to a size limit.

A folder of evidence may contain links that lead out of it, endless pipes, devices, or files made to
exhaust the memory. Everything that reads a run's folder opens its files here, and everything
that writes there opens the folder with `open_parent`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path

from harness.errors import EvidenceError, Exit

MIB = 1024 * 1024
# A document is parsed as a whole, which needs about ten times its size in memory.
DOCUMENT_BYTES_MAX = 64 * MIB
# A scenario, a contract file or a set of images: a person writes them.
CONFIG_BYTES_MAX = MIB
# Files with some lines a second: a week of them, the longest load, has 250 MB.
LINES_BYTES_MAX = 512 * MIB
# Telemetry of many services; only a few numbers of a line are kept.
TELEMETRY_BYTES_MAX = 2048 * MIB
# A histogram log has a line for each second.
LOG_BYTES_MAX = 512 * MIB
LINE_BYTES_MAX = 4 * MIB
# 170 million attempts.
RECORDS_BYTES_MAX = 8192 * MIB

# Folders inside the folder of a run, which must not be links; the run's folder may be one.
_INNER = frozenset({"journal", "logs", "histograms"})
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_HINT_KIND = "evidence is read from regular files inside its folder only; copy the content there"
_HINT_LIMIT = "no run writes such a file; do not trust the folder that it came in"


class RefusedError(EvidenceError):
    """A file that no run writes: not regular, or larger than the limit. It is not read."""

    exit_code = Exit.USAGE


def over_limit(what: str, limit: str, where: str) -> RefusedError:
    """The error for a file above a limit."""
    return RefusedError(f"{what}; the limit is {limit}", where=where, hint=_HINT_LIMIT)


def open_parent(path: Path) -> int:
    """A descriptor of the folder that a file lies in, for `dir_fd`.

    Raises:
        OSError: there is none, or it cannot be opened.
        RefusedError: it lies inside a run's folder and is a link.
    """
    parent = path.parent
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(parent, flags | (os.O_NOFOLLOW if parent.name in _INNER else 0))
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and parent.is_symlink():
            raise _refused_kind(parent, "a symbolic link") from error
        raise


def open_regular(
    path: Path, limit: int = RECORDS_BYTES_MAX, *, by_user: bool = False
) -> BufferedReader:
    """A regular file, to be read.

    Args:
        path: of the file.
        limit: bytes that it may have.
        by_user: whether the user gave the path, which may then be a link.

    Raises:
        OSError: missing, or cannot be opened.
        RefusedError: it is no regular file, or larger than the limit.
    """
    folder = open_parent(path)
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            # Check first: even opening a device may have an effect.
            _check(path, os.stat(path.name, dir_fd=folder, follow_symlinks=by_user), limit)
            fd = os.open(path.name, flags | (0 if by_user else os.O_NOFOLLOW), dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _refused_kind(path, "a symbolic link") from error
            raise
    finally:
        os.close(folder)
    try:
        _check(path, os.fstat(fd), limit)
    except RefusedError:
        os.close(fd)
        raise
    return BufferedReader(FileIO(fd, "rb"))


def read_regular(path: Path, limit: int = DOCUMENT_BYTES_MAX, *, by_user: bool = False) -> bytes:
    """A whole regular file; `open_regular` has arguments and errors."""
    with open_regular(path, limit, by_user=by_user) as file:
        data: bytes = file.read(limit + 1)
    if len(data) > limit:  # it grew meanwhile
        raise over_limit(f"has more than {len(data):,} bytes", f"{limit:,} bytes", str(path))
    return data


def iter_lines(
    path: Path, limit: int = LINES_BYTES_MAX, *, errors: str = "strict"
) -> Iterator[str]:
    """The lines of a regular file, one in memory at a time.

    Args:
        path: of the file.
        limit: bytes that it may have.
        errors: how bytes that are no UTF-8 are decoded; see `bytes.decode`.

    Raises:
        EvidenceError: it cannot be read, or is no UTF-8.
        RefusedError: it is no regular file, or it or a line is larger than the limit.
    """
    number = 0
    try:
        with open_regular(path, limit) as file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > LINE_BYTES_MAX:
                    what = f"line {number} has more than {LINE_BYTES_MAX:,} bytes"
                    raise over_limit(what, f"{LINE_BYTES_MAX:,} bytes a line", str(path))
                yield line.decode("utf-8", errors)
    except FileNotFoundError as error:
        raise EvidenceError("is missing", where=str(path)) from error
    except OSError as error:
        raise EvidenceError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise EvidenceError(f"line {number} is no UTF-8: {error}", where=str(path)) from error


def check_kind(path: Path, mode: int) -> None:
    """Refuse anything but a regular file.

    Raises:
        RefusedError: it is no regular file.
    """
    if not stat.S_ISREG(mode):
        kind = next((name for is_one, name in _KINDS if is_one(mode)), "no regular file")
        raise _refused_kind(path, kind)


def _check(path: Path, found: os.stat_result, limit: int) -> None:
    check_kind(path, found.st_mode)
    if found.st_size > limit:
        raise over_limit(f"has {found.st_size:,} bytes", f"{limit:,} bytes", str(path))


def _refused_kind(path: Path, kind: str) -> RefusedError:
    return RefusedError(f"is {kind}, which is not followed", where=str(path), hint=_HINT_KIND)
