"""The limits that the kernel enforces on a process, read from its control group.

A quota that the container engine accepted is not yet a quota in force: it may have been dropped
with a warning, or changed since. Only the live files of the process's own group count.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, cpu.weight, memory.max,
memory.swap.max) and https://docs.kernel.org/admin-guide/cgroup-v1/ (cpu, memory).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StackError
from harness.process.cgroup import V1_UNLIMITED, mounted, parse_groups

_PERIOD_US = 100_000
# What engines call a container's group: `<id>`, `docker-<id>.scope`, `libpod-<id>.scope`.
_OF_CONTAINER = re.compile(r"(?:[a-z-]+-)?[0-9a-f]{64}(?:\.scope)?")


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


def read_limits(
    pid: int, *, proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")
) -> Limits:
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
    stat = _table(cpu / "cpu.stat")
    quota = int((cpu / "cpu.cfs_quota_us").read_text())
    return Limits(
        version=1,
        cpu_period_us=int((cpu / "cpu.cfs_period_us").read_text()),
        cpu_quota_us=None if quota < 0 else quota,
        cpu_shares=int((cpu / "cpu.shares").read_text()),
        memory_bytes=limit,
        swap_bytes=None if limit is None or with_swap is None else with_swap - limit,
        throttled_periods=stat.get("nr_throttled", 0),
        periods=stat.get("nr_periods", 0),
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
    stat = _table(group / "cpu.stat")  # there with or without the controller
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
        throttled_periods=stat.get("nr_throttled", 0),
        periods=stat.get("nr_periods", 0),
        missing=tuple(name for name, file in files.items() if not (group / file).exists()),
    )


def _v2_text(path: Path, absent: str) -> str:
    """A file of a controller; a group without the controller has no such file."""
    return path.read_text().strip() if path.exists() else absent


def _v2_size(path: Path) -> int | None:
    text = _v2_text(path, "max")
    return None if text == "max" else int(text)


def _table(path: Path) -> dict[str, int]:
    return {key: int(value) for key, value in map(str.split, path.read_text().splitlines())}


def weight_of_shares(shares: int) -> int:
    """`cpu.weight` that runc sets for `cpu.shares`.

    The map is linear from 2..262144 to 1..10000: 1 + (shares - 2) * 9999 / 262142
    (https://github.com/opencontainers/runc, libcontainer/cgroups, ConvertCPUSharesToCgroupV2Value).
    """
    return 1 + (shares - 2) * 9999 // 262142


def shares_of_weight(weight: int) -> int:
    """The smallest `cpu.shares` that gives a weight; the usual 1024 and 2 come back exactly.

    Several shares have one weight, so the default of 1024 (weight 39) is told apart by name.
    """
    if weight == weight_of_shares(1024):
        return 1024
    return 2 + -(-(weight - 1) * 262142 // 9999)
