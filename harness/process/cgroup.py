"""Where the kernel keeps what it counts and limits for a group of processes; both versions.

Sources: cgroups(7), https://docs.kernel.org/admin-guide/cgroup-v2.html and
https://docs.kernel.org/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.process.proc import PROC

ROOT = Path("/sys/fs/cgroup")
# Version 1 says "no limit" with the largest page-aligned number.
V1_UNLIMITED = 1 << 62
UNIFIED = ""
_V1 = ("cpu", "cpuacct", "memory", "blkio")


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The group of a process.

    Attributes:
        version: of the interface that limits it.
        names: its path by controller; that of version 2 under `UNIFIED`.
        folders: its folders by controller, those that are there.
    """

    version: int
    names: Mapping[str, str]
    folders: Mapping[str, Path]


def group_of(pid: int, *, proc: Path = PROC, root: Path = ROOT) -> ControlGroup:
    """The group that a process is in now.

    Raises:
        OSError: the process is gone, or this is no Linux with control groups.
        ValueError: the kernel tells it in another form.
    """
    names = parse_groups((proc / str(pid) / "cgroup").read_text(encoding="utf-8"))
    found: dict[str, Path] = {}
    if "cpu" in names and "memory" in names:
        for controller in _V1:
            if controller in names and (folder := mounted(root, controller, names[controller])):
                found[controller] = folder
        # Beside version 1 there may be a tree of version 2 that limits nothing and counts pressure.
        unified = root / "unified" / names.get(UNIFIED, "").lstrip("/")
        if UNIFIED in names and unified.is_dir():
            found[UNIFIED] = unified
        return ControlGroup(1, names, found)
    folder = root / names.get(UNIFIED, "").lstrip("/")
    return ControlGroup(2, names, {UNIFIED: folder} if folder.is_dir() else {})


def parse_groups(text: str) -> dict[str, str]:
    """Paths by controller, from a process's `cgroup` (cgroups(7)).

    Raises:
        ValueError: it is none.
    """
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def mounted(root: Path, controller: str, path: str) -> Path | None:
    """The folder of a group of version 1; None when it is not there."""
    # Distributions mount cpu and cpuacct together under either name.
    for name in (controller, "cpu,cpuacct", "cpuacct,cpu"):
        if controller not in name.split(","):
            continue
        folder = root / name / path.lstrip("/")
        if folder.is_dir():
            return folder
    return None
