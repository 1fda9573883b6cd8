"""The storage below a folder: disks, encryption and kind of disk, as the kernel reports them.

Sources: https://docs.kernel.org/admin-guide/abi-testing.html (`/sys/block/*/slaves`, `dm/uuid`,
`/sys/dev/block`) and https://docs.kernel.org/filesystems/proc.html (`mountinfo`). A dm-crypt
mapping has a UUID that begins with `CRYPT-`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SYS = Path("/sys")
PROC = Path("/proc")
_DEPTH_MAX = 16
_CRYPT = "CRYPT-"


def disks_below(folder: Path, *, sys: Path = SYS, proc: Path = PROC) -> tuple[str, ...] | None:
    """Kernel names of the disks at the bottom; None if they cannot be seen (overlay, ZFS, NFS)."""
    node = _node_of(folder, sys, proc)
    return None if node is None else tuple(sorted({leaf.name for leaf in _leaves(node)}))


def is_encrypted(folder: Path, *, sys: Path = SYS, proc: Path = PROC) -> bool | None:
    """Whether every way from the folder to a disk goes through dm-crypt; None if not seen.

    A drive that encrypts itself, and encryption inside a file system, cannot be seen here.
    """
    node = _node_of(folder, sys, proc)
    return None if node is None else _is_sealed(node, _DEPTH_MAX)


def nearest(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    for path in (folder.absolute(), *folder.absolute().parents):
        if os.access(path, os.F_OK):
            return path
    return Path("/")


def _node_of(folder: Path, sys: Path, proc: Path) -> Path | None:
    try:
        number = os.stat(folder).st_dev  # noqa: PTH116 - a device number, not a file's facts
        node = _node(f"{os.major(number)}:{os.minor(number)}", sys)
        if node is not None:
            return node
        # Btrfs and the like have a number of their own; their mount names the device.
        source = _source_of(f"{os.major(number)}:{os.minor(number)}", proc)
        if source is None:
            return None
        number = os.stat(source).st_rdev  # noqa: PTH116 - see above
    except OSError:
        return None
    return _node(f"{os.major(number)}:{os.minor(number)}", sys)


def _node(number: str, sys: Path) -> Path | None:
    link = sys / "dev" / "block" / number
    return link.resolve() if link.exists() else None


def _source_of(number: str, proc: Path) -> str | None:
    for line in (proc / "self" / "mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if before.split(" ")[2] == number and after.split(" ")[1].startswith("/"):
            return after.split(" ")[1]
    return None


def _below(node: Path) -> tuple[Path, ...]:
    if (node / "partition").exists():
        return (node.parent,)
    slaves = node / "slaves"
    return tuple(sorted(path.resolve() for path in slaves.iterdir())) if slaves.is_dir() else ()


def _leaves(node: Path, depth: int = _DEPTH_MAX) -> Iterator[Path]:
    below = _below(node) if depth else ()
    if not below:
        yield node
    for one in below:
        yield from _leaves(one, depth - 1)


def _is_sealed(node: Path, depth: int) -> bool:
    try:
        uuid = (node / "dm" / "uuid").read_text(encoding="ascii")
    except OSError:
        uuid = ""
    if uuid.startswith(_CRYPT):
        return True
    below = _below(node) if depth else ()
    return bool(below) and all(_is_sealed(one, depth - 1) for one in below)
