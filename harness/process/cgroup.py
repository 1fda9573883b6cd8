"""Control groups of processes, both versions: where they are, what they limit and what they count.

A quota that the container engine accepted is not yet a quota in force: it may have been dropped
with a warning, or changed since. Only the live files of the process's own group count.

Sources: cgroups(7), https://docs.kernel.org/admin-guide/cgroup-v2.html and
https://docs.kernel.org/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StackError
from harness.process.proc import PROC

ROOT = Path("/sys/fs/cgroup")
# Version 1 writes "no limit" as the largest page-aligned number.
V1_UNLIMITED = 1 << 62
UNIFIED = ""
_V1 = ("cpu", "cpuacct", "memory", "blkio")
_PERIOD_US = 100_000
# What engines call a container's group: `<id>`, `docker-<id>.scope`, `libpod-<id>.scope`.
_OF_CONTAINER = re.compile(r"(?:[a-z-]+-)?[0-9a-f]{64}(?:\.scope)?")


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
        ValueError: the kernel's text has another form.
    """
    names = parse_groups((proc / str(pid) / "cgroup").read_text(encoding="utf-8"))
    found: dict[str, Path] = {}
    if "cpu" in names and "memory" in names:
        for controller in _V1:
            if controller in names and (folder := mounted(root, controller, names[controller])):
                found[controller] = folder
        # A hybrid setup also has a tree of version 2 that limits nothing and counts pressure.
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


def controller_folder(
    pid: int, controller: str, *, proc: Path = PROC, root: Path = ROOT
) -> Path | None:
    """The folder in which a controller acts on a process; None when it is in no group of it.

    Raises:
        OSError: the process is gone.
        ValueError: the kernel's text has another form.
    """
    names = parse_groups((proc / str(pid) / "cgroup").read_text(encoding="utf-8"))
    if controller in names and (folder := mounted(root, controller, names[controller])):
        return folder
    return root / names[UNIFIED].lstrip("/") if UNIFIED in names else None


def table(text: bytes) -> dict[bytes, int]:
    """Lines of a name and a number."""
    fields = text.split()
    return dict(zip(fields[::2], map(int, fields[1::2]), strict=True))


def pressure_us(text: bytes) -> int:
    """Running total of the first line of a pressure file (PSI).

    Raises:
        ValueError: it is none.
    """
    return int(text.split(b"\n", 1)[0].rpartition(b"total=")[2])


def own_memory_limit() -> int | None:
    """The memory limit at the root of the groups that this process sees; None without one.

    In a container with a group namespace of its own this is the container's.
    """
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return int((ROOT / name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What is in force. None means without limit; sizes in bytes, period and quota in us.

    Attributes:
        cpu_shares: as `cpu.shares`; on version 2 `cpu.weight` is mapped back to it; 0 without cpu.
        swap_bytes: swap beyond the memory limit; zero where memory and swap share one limit.
        throttled_periods, periods: how often the quota was reached, of how many periods.
        missing: controllers that the group does not have, so that it limits nothing of theirs.
    """

    version: int
    cpu_period_us: int
    cpu_quota_us: int | None
    cpu_shares: int
    memory_bytes: int | None
    swap_bytes: int | None
    throttled_periods: int
    periods: int
    missing: tuple[str, ...] = ()


def read_limits(pid: int, *, proc: Path = PROC, root: Path = ROOT) -> Limits:
    """The limits in force for a process of this host.

    Raises:
        StackError: the process is gone, or its group's files cannot be read.
    """
    try:
        groups = parse_groups((proc / str(pid) / "cgroup").read_text(encoding="ascii"))
        if "cpu" in groups and "memory" in groups:
            return _read_v1({key: of_container(path) for key, path in groups.items()}, root)
        return _read_v2(root / of_container(groups[""]).lstrip("/"))
    except (OSError, KeyError, ValueError) as error:
        raise StackError(
            f"the control group of process {pid} cannot be read: {error}",
            where=str(root),
            hint="run the harness on the engine's own host and in no container, as root or as the "
            "engine's user",
        ) from error


def of_container(path: str) -> str:
    """The container's own group, given that of a process of it: there its limits are.

    A process may be in a group below: crun makes one called `container`, systemd one a service.

    Raises:
        ValueError: the path leads out of this process's control group namespace.
    """
    parts = path.split("/")
    if ".." in parts:
        raise ValueError(f"{path} lies outside of this process's control group namespace")
    ends = [end for end, part in enumerate(parts, 1) if _OF_CONTAINER.fullmatch(part)]
    return "/".join(parts[: ends[-1]]) if ends else path


def _read_v1(groups: dict[str, str], root: Path) -> Limits:
    cpu = _mounted(root, "cpu", groups["cpu"])
    memory = _mounted(root, "memory", groups["memory"])
    limit = _v1_size(memory / "memory.limit_in_bytes")
    with_swap = _v1_size(memory / "memory.memsw.limit_in_bytes")
    stat = table((cpu / "cpu.stat").read_bytes())
    quota = int((cpu / "cpu.cfs_quota_us").read_text())
    return Limits(
        version=1,
        cpu_period_us=int((cpu / "cpu.cfs_period_us").read_text()),
        cpu_quota_us=None if quota < 0 else quota,
        cpu_shares=int((cpu / "cpu.shares").read_text()),
        memory_bytes=limit,
        swap_bytes=None if limit is None or with_swap is None else with_swap - limit,
        throttled_periods=stat.get(b"nr_throttled", 0),
        periods=stat.get(b"nr_periods", 0),
    )


def _mounted(root: Path, controller: str, path: str) -> Path:
    folder = mounted(root, controller, path)
    if folder is None:
        raise OSError(f"no group {path} below {root / controller}")
    return folder


def _v1_size(path: Path) -> int | None:
    value = int(path.read_text())
    return None if value >= V1_UNLIMITED else value


def _read_v2(group: Path) -> Limits:
    stat = table((group / "cpu.stat").read_bytes())  # there with or without the controller
    quota, period = _v2_text(group / "cpu.max", f"max {_PERIOD_US}").split()
    weight = _v2_text(group / "cpu.weight", "0")
    files = {"cpu": "cpu.max", "memory": "memory.max"}
    return Limits(
        version=2,
        cpu_period_us=int(period),
        cpu_quota_us=None if quota == "max" else int(quota),
        cpu_shares=shares_of_weight(int(weight)) if int(weight) else 0,
        memory_bytes=_v2_size(group / "memory.max"),
        swap_bytes=_v2_size(group / "memory.swap.max"),
        throttled_periods=stat.get(b"nr_throttled", 0),
        periods=stat.get(b"nr_periods", 0),
        missing=tuple(name for name, file in files.items() if not (group / file).exists()),
    )


def _v2_text(path: Path, absent: str) -> str:
    """A file of a controller; a group without the controller has no such file."""
    return path.read_text().strip() if path.exists() else absent


def _v2_size(path: Path) -> int | None:
    text = _v2_text(path, "max")
    return None if text == "max" else int(text)


def weight_of_shares(shares: int) -> int:
    """`cpu.weight` that runc sets for `cpu.shares`.

    The map is linear from 2..262144 to 1..10000: 1 + (shares - 2) * 9999 / 262142
    (https://github.com/opencontainers/runc, libcontainer/cgroups, ConvertCPUSharesToCgroupV2Value).
    """
    return 1 + (shares - 2) * 9999 // 262142


def shares_of_weight(weight: int) -> int:
    """The smallest `cpu.shares` that gives a weight; the usual 1024 and 2 come back exactly.

    Several shares have one weight, so the default of 1024 (weight 39) is a case of its own.
    """
    if weight == weight_of_shares(1024):
        return 1024
    return 2 + -(-(weight - 1) * 262142 // 9999)
