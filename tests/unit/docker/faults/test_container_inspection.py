"""A container's control groups, both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import StackError
from harness.faults.docker import container_inspection
from harness.faults.kinds.partition import FilterRule

V1 = "7:freezer:/docker/a\n4:memory:/docker/a\n2:cpu,cpuacct:/docker/a\n0::/docker/a\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with one process, number 5, and no control group yet."""
    monkeypatch.setattr(container_inspection, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(container_inspection, "_GROUPS", tmp_path / "cgroup")
    (tmp_path / "proc" / "5").mkdir(parents=True)
    return tmp_path


def put(path: Path, text: str) -> None:
    """A file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def test_version_1(host: Path) -> None:
    """A folder for each controller, or for several together."""
    put(host / "proc/5/cgroup", V1)
    put(host / "cgroup/freezer/docker/a/freezer.state", "FROZEN\n")
    put(
        host / "cgroup/memory/docker/a/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    )
    put(host / "cgroup/cpu,cpuacct/docker/a/cpuacct.usage", "12345\n")
    assert container_inspection.is_frozen(5)
    assert container_inspection.oom_kills(5) == 3
    assert container_inspection.cpu_used_ns(5) == 12345


def test_version_2(host: Path) -> None:
    """One folder for all."""
    put(host / "proc/5/cgroup", "0::/docker/a\n")
    folder = host / "cgroup/docker/a"
    put(folder / "cgroup.events", "populated 1\nfrozen 0\n")
    put(folder / "memory.events", "oom 2\noom_kill 1\noom_group_kill 0\n")
    put(folder / "cpu.stat", "usage_usec 17\nuser_usec 5\n")
    assert not container_inspection.is_frozen(5)
    assert container_inspection.oom_kills(5) == 1
    assert container_inspection.cpu_used_ns(5) == 17_000
    put(folder / "cgroup.events", "populated 1\nfrozen 1\n")
    assert container_inspection.is_frozen(5)


def test_hogs_are_identified_by_their_mark(host: Path) -> None:
    """And no other process in the container is."""
    put(host / "proc/5/cgroup", "0::/docker/a\n")
    put(host / "cgroup/docker/a/cgroup.procs", "5\n6\n7\n")
    put(host / "proc/5/cmdline", "python3\0-m\0zone_b.engine")
    put(host / "proc/6/cmdline", "python3\0-c\0pass\0the-mark\0")
    assert container_inspection.marked(5, "the-mark") == (6,)


def test_a_process_that_is_gone(host: Path) -> None:
    """Is an error with that reason."""
    with pytest.raises(StackError, match="process 6 is gone"):
        container_inspection.is_frozen(6)


def test_a_rule_is_deleted_by_the_words_that_added_it() -> None:
    """But for the action."""
    rule = FilterRule(5, "OUTPUT", "-d", "172.18.0.3", "signal-harness-1")
    added, deleted = rule.arguments("-I"), rule.arguments("-D")
    assert [a for a, d in zip(added, deleted, strict=True) if a != d] == ["-I"]
    assert "172.18.0.3" in added
    assert "signal-harness-1" in added
