"""Reading control groups of both versions from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StackError
from harness.process import cgroup
from harness.process.cgroup import read_limits, shares_of_weight, weight_of_shares

GIB = 1024**3


def write(root: Path, files: dict[str, str]) -> None:
    """Files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


def test_version_1(tmp_path: Path) -> None:
    """Quota, shares, memory and swap of a version 1 group."""
    write(
        tmp_path,
        {
            "proc/7/cgroup": "4:memory:/docker/ab\n1:cpu:/docker/ab\n0::/docker/ab\n",
            "sys/cpu/docker/ab/cpu.cfs_quota_us": "400000\n",
            "sys/cpu/docker/ab/cpu.cfs_period_us": "100000\n",
            "sys/cpu/docker/ab/cpu.shares": "1024\n",
            "sys/cpu/docker/ab/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 5\n",
            "sys/memory/docker/ab/memory.limit_in_bytes": f"{8 * GIB}\n",
            "sys/memory/docker/ab/memory.memsw.limit_in_bytes": f"{8 * GIB}\n",
        },
    )
    limits = read_limits(7, proc=tmp_path / "proc", root=tmp_path / "sys")
    assert (limits.version, limits.cpu_quota_us, limits.cpu_period_us) == (1, 400_000, 100_000)
    assert (limits.cpu_shares, limits.memory_bytes, limits.swap_bytes) == (1024, 8 * GIB, 0)
    assert (limits.throttled_periods, limits.periods) == (2, 9)


def test_version_1_without_limits(tmp_path: Path) -> None:
    """No limit is None, never a large number."""
    write(
        tmp_path,
        {
            "proc/7/cgroup": "4:memory:/\n1:cpu,cpuacct:/\n",
            "sys/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/cpu,cpuacct/cpu.shares": "1024\n",
            "sys/cpu,cpuacct/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
            "sys/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/memory/memory.memsw.limit_in_bytes": "9223372036854771712\n",
        },
    )
    limits = read_limits(7, proc=tmp_path / "proc", root=tmp_path / "sys")
    assert (limits.cpu_quota_us, limits.memory_bytes, limits.swap_bytes) == (None, None, None)


def test_version_2(tmp_path: Path) -> None:
    """The same of a version 2 group."""
    group = "sys/system.slice/docker-ab.scope"
    write(
        tmp_path,
        {
            "proc/7/cgroup": "0::/system.slice/docker-ab.scope\n",
            f"{group}/cpu.max": "50000 100000\n",
            f"{group}/cpu.weight": "39\n",
            f"{group}/cpu.stat": "usage_usec 1\nnr_periods 3\nnr_throttled 1\n",
            f"{group}/memory.max": f"{GIB}\n",
            f"{group}/memory.swap.max": "0\n",
        },
    )
    limits = read_limits(7, proc=tmp_path / "proc", root=tmp_path / "sys")
    assert (limits.version, limits.cpu_quota_us, limits.cpu_shares) == (2, 50_000, 1024)
    assert (limits.memory_bytes, limits.swap_bytes) == (GIB, 0)


ID = "5f" * 32
LIMITED = {
    "cpu.max": "50000 100000\n",
    "cpu.weight": "39\n",
    "cpu.stat": "usage_usec 1\nnr_periods 3\nnr_throttled 1\n",
    "memory.max": f"{GIB}\n",
    "memory.swap.max": "0\n",
}
# A group below the container's, whose controllers limit nothing.
INNER = {**LIMITED, "cpu.max": "max 100000\n", "memory.max": "max\n", "cpu.weight": "100\n"}
# What an engine's slices above may limit is not the container's.
OUTER = {**LIMITED, "cpu.max": "30000 100000\n", "memory.max": "7\n"}
ROOTLESS = "user.slice/user-1000.slice/user@1000.service/user.slice"


@pytest.mark.parametrize(
    ("group", "inner"),
    [
        (f"system.slice/docker-{ID}.scope", ""),
        (f"docker/{ID}", ""),
        (f"machine.slice/libpod-{ID}.scope", "container"),
        (f"libpod_parent/libpod-{ID}", ""),
        (f"{ROOTLESS}/docker-{ID}.scope", ""),
        (f"{ROOTLESS}/libpod-{ID}.scope", "container"),
        (f"docker/{ID}", "init.scope"),
        (f"docker/{'a0' * 32}/docker/{ID}", ""),
        ("some.slice/by-hand", ""),
    ],
    ids=[
        "docker, systemd",
        "docker, cgroupfs",
        "podman, systemd, crun",
        "podman, cgroupfs",
        "rootless docker",
        "rootless podman",
        "systemd inside",
        "docker in docker",
        "neither",
    ],
)
def test_the_group_of_the_container_is_read_wherever_its_process_is(
    tmp_path: Path, group: str, inner: str
) -> None:
    """Paths of version 2 as the drivers of engines make them."""
    files = {f"sys/{group}/{name}": text for name, text in LIMITED.items()}
    if inner:
        files |= {f"sys/{group}/{inner}/{name}": text for name, text in INNER.items()}
    outer = group.partition("/")[0]
    files |= {f"sys/{outer}/{name}": text for name, text in OUTER.items()}
    write(tmp_path, {"proc/7/cgroup": f"0::/{group}/{inner}".rstrip("/") + "\n", **files})
    limits = read_limits(7, proc=tmp_path / "proc", root=tmp_path / "sys")
    assert (limits.version, limits.cpu_quota_us, limits.memory_bytes) == (2, 50_000, GIB)
    assert (limits.cpu_shares, limits.swap_bytes, limits.missing) == (1024, 0, ())


@pytest.mark.parametrize("absent", ["cpu", "memory"])
def test_a_controller_that_is_not_delegated_limits_nothing(tmp_path: Path, absent: str) -> None:
    """A rootless engine has those controllers that its user's service was given."""
    group = f"{ROOTLESS}/docker-{ID}.scope"
    kept = {k: v for k, v in LIMITED.items() if not k.startswith(absent) or k == "cpu.stat"}
    files = {f"sys/{group}/{name}": text for name, text in kept.items()}
    write(tmp_path, {"proc/7/cgroup": f"0::/{group}\n", **files})
    limits = read_limits(7, proc=tmp_path / "proc", root=tmp_path / "sys")
    assert limits.missing == (absent,)
    unlimited = {"cpu": limits.cpu_quota_us, "memory": limits.memory_bytes}
    assert unlimited.pop(absent) is None
    assert None not in unlimited.values()
    assert limits.cpu_shares == (0 if absent == "cpu" else 1024)


@pytest.mark.parametrize("group", [f"/../../docker/{ID}", f"/docker/{ID}"])
def test_a_group_of_another_namespace_is_an_error_with_what_to_do(
    tmp_path: Path, group: str
) -> None:
    """The harness itself runs in a container, or the engine's kernel is another one."""
    write(tmp_path, {"proc/7/cgroup": f"0::{group}\n", "sys/cpu.stat": "usage_usec 1\n"})
    with pytest.raises(StackError) as raised:
        read_limits(7, proc=tmp_path / "proc", root=tmp_path / "sys")
    assert "the engine's own host" in raised.value.hint


def test_vanished_process_is_an_error(tmp_path: Path) -> None:
    """A limit that cannot be read never counts as one in force."""
    with pytest.raises(StackError, match="control group of process 7"):
        read_limits(7, proc=tmp_path, root=tmp_path)


@given(st.integers(min_value=2, max_value=262_144))
def test_weights_and_shares_agree(shares: int) -> None:
    """Mapping shares to a weight and back gives shares of the same weight."""
    assert weight_of_shares(shares_of_weight(weight_of_shares(shares))) == weight_of_shares(shares)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": f"{GIB}\n"}, GIB),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": f"{GIB}\n"}, GIB),
        ({}, None),
    ],
    ids=["version 2", "version 2 without a limit", "version 1", "no control groups"],
)
def test_own_memory_limit(
    files: dict[str, str], limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a container in which the harness runs."""
    write(tmp_path, files)
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    assert cgroup.own_memory_limit() == limit
