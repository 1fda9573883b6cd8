"""Control groups of both versions, from texts as kernels write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.process.cgroup import group_of, pressure_us
from harness.telemetry.cgroup_files import CgroupFiles, CgroupUsage
from harness.telemetry.services import unshared_controllers

MIB = 1 << 20
V1 = {
    "proc/7/cgroup": "7:blkio:/docker/ab\n4:memory:/docker/ab\n2:cpuacct:/docker/ab\n"
    "1:cpu:/docker/ab\n0::/docker/ab\n",
    "sys/cpuacct/docker/ab/cpuacct.usage": "1234567890\n",
    "sys/cpu/docker/ab/cpu.stat": "nr_periods 90\nnr_throttled 12\nthrottled_time 500\n"
    "nr_bursts 0\nburst_time 0\n",
    "sys/cpu/docker/ab/cpu.cfs_quota_us": "150000\n",
    "sys/cpu/docker/ab/cpu.cfs_period_us": "100000\n",
    "sys/memory/docker/ab/memory.usage_in_bytes": f"{300 * MIB}\n",
    "sys/memory/docker/ab/memory.limit_in_bytes": f"{512 * MIB}\n",
    "sys/memory/docker/ab/memory.stat": "cache 1\npgfault 5\npgmajfault 1\n"
    f"total_pgfault 130\ntotal_pgmajfault 30\ntotal_inactive_file {100 * MIB}\n"
    f"rss 1\ntotal_rss {70 * MIB}\n",
    "sys/blkio/docker/ab/blkio.throttle.io_service_bytes_recursive": "254:0 Read 4096\n"
    "254:0 Write 100\n254:0 Sync 4196\n254:0 Total 4196\n254:16 Read 4\n254:16 Write 1\n"
    "Total 4201\n",
    "sys/unified/docker/ab/cpu.pressure": "some avg10=0.00 avg60=0.10 avg300=0.05 total=77\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
}
V2 = {
    "proc/7/cgroup": "0::/system.slice/docker-ab.scope\n",
    "sys/system.slice/docker-ab.scope/cpu.stat": "usage_usec 1234567\nuser_usec 1000000\n"
    "system_usec 234567\nnr_periods 90\nnr_throttled 12\nthrottled_usec 500\n",
    "sys/system.slice/docker-ab.scope/cpu.max": "150000 100000\n",
    "sys/system.slice/docker-ab.scope/memory.current": f"{300 * MIB}\n",
    "sys/system.slice/docker-ab.scope/memory.max": f"{512 * MIB}\n",
    "sys/system.slice/docker-ab.scope/memory.stat": f"anon {70 * MIB}\nfile 2\n"
    f"inactive_file {100 * MIB}\npgfault 130\npgmajfault 30\n",
    "sys/system.slice/docker-ab.scope/io.stat": "254:0 rbytes=4096 wbytes=100 rios=1 wios=1"
    " dbytes=0 dios=0\n254:16 rbytes=4 wbytes=1 rios=1 wios=1 dbytes=0 dios=0\n",
    "sys/system.slice/docker-ab.scope/cpu.pressure": "some avg10=0.00 avg60=0.10 total=77\n",
}


def found(root: Path, files: Mapping[str, str]) -> CgroupUsage:
    """What is read of process 7 from such files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    files_of = CgroupFiles(group_of(7, proc=root / "proc", root=root / "sys"))
    first = files_of.sample()
    assert files_of.sample() == first  # from the same open files
    files_of.close()
    return first


@pytest.mark.parametrize(("files", "cpu_ns"), [(V1, 1_234_567_890), (V2, 1_234_567_000)])
def test_both_versions_report_the_same(tmp_path: Path, files: dict[str, str], cpu_ns: int) -> None:
    """Usage, limits in force, throttling and pressure, each from where its version keeps it."""
    assert found(tmp_path, files) == CgroupUsage(
        cpu_ns=cpu_ns,
        periods=90,
        throttled=12,
        memory_bytes=200 * MIB,
        private_bytes=70 * MIB,
        faults_minor=100,
        faults_major=30,
        read_bytes=4_100,
        written_bytes=101,
        pressure_ns={"cpu": 77_000},
        cpu_limit_cores=1.5,
        memory_limit_bytes=512 * MIB,
    )


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        (V1, {"cpu.cfs_quota_us": "-1\n", "memory.limit_in_bytes": "9223372036854771712\n"}),
        (V2, {"cpu.max": "max 100000\n", "memory.max": "max\n"}),
    ],
)
def test_without_a_limit_there_is_none(
    tmp_path: Path, files: dict[str, str], changes: dict[str, str]
) -> None:
    """No limit is None, never a large number."""
    changed = {name: changes.get(name.rpartition("/")[2], text) for name, text in files.items()}
    usage = found(tmp_path, changed)
    assert (usage.cpu_limit_cores, usage.memory_limit_bytes) == (None, None)


def test_missing_files_have_no_figures(tmp_path: Path) -> None:
    """A kernel without a controller leaves gaps, not zeros."""
    few = {name: text for name, text in V2.items() if "cgroup" in name or "cpu.stat" in name}
    usage = found(tmp_path, few)
    assert usage == CgroupUsage(cpu_ns=1_234_567_000, periods=90, throttled=12)


def test_a_shared_group_is_not_the_services_own(tmp_path: Path) -> None:
    """Of a group that the harness is in as well, nothing is of the service alone."""
    found(tmp_path, V1)
    (tmp_path / "proc" / "8").mkdir()
    text = (
        V1["proc/7/cgroup"]
        .replace("memory:/docker/ab", "memory:/")
        .replace("0::/docker/ab", "0::/")
    )
    (tmp_path / "proc" / "8" / "cgroup").write_text(text)
    own, group = (group_of(pid, proc=tmp_path / "proc", root=tmp_path / "sys") for pid in (8, 7))
    assert set(unshared_controllers(own, group).folders) == {"memory", ""}
    assert not unshared_controllers(group, group).folders


@pytest.mark.parametrize("text", [b"", b"some avg10=0.00\n", b"garbage"])
def test_pressure_that_is_none(text: bytes) -> None:
    """Another form is an error, not a zero."""
    with pytest.raises(ValueError, match="invalid literal"):
        pressure_us(text)
