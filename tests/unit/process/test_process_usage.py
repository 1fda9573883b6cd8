"""Reading what the kernel counts."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from harness.process import usage

STAT = "7 (a (b) c) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 3 0 99 1000 20 184467 1 1 0 0\n"
CPU = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 20 30 400 5 6 7 80 9 9\ncpu1 1 2 3 4 0 0 0 0 0 0\nintr 5\n"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process table of our own, on a kernel that counts a hundred ticks a second."""
    monkeypatch.setattr(usage, "PROC", tmp_path)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    monkeypatch.setattr("psutil._pslinux.CLOCK_TICKS", 100)
    sizes = {"SC_CLK_TCK": 100, "SC_PAGE_SIZE": 4_096}
    monkeypatch.setattr(os, "sysconf", lambda name: sizes[name])
    for path, text in {
        "7/stat": STAT,
        "7/schedstat": "1234 5678 9\n",
        "stat": CPU,
        "pressure/cpu": "some avg10=0.1 avg60=0.2 avg300=0.6 total=77\nfull avg10=0 total=1\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def test_process_is_read_by_its_fields(proc: Path) -> None:
    """State, times and memory, whatever the program's name contains."""
    found = usage.process_usage(7)
    assert found == usage.ProcessUsage("S", 1_234, 5_678, 3_000_000_000, 20 * 4_096)


def test_without_scheduler_statistics(proc: Path) -> None:
    """Ticks are better than nothing; waits are not made up."""
    (proc / "7" / "schedstat").unlink()
    found = usage.process_usage(7)
    assert found is not None
    assert (found.cpu_ns, found.wait_ns) == (3_000_000_000, None)


def test_cores_and_pressure(proc: Path) -> None:
    """Every core by itself; absent resources are left out."""
    ten_ms = 10_000_000
    assert usage.core_usages() == (
        usage.CoreUsage(73 * ten_ms, 5 * ten_ms, 400 * ten_ms, 80 * ten_ms),
        usage.CoreUsage(6 * ten_ms, 0, 4 * ten_ms, 0),
    )
    assert usage.pressures_us() == {"cpu": 77}


def test_what_is_gone_is_none(proc: Path) -> None:
    """No process, no host: nothing, and no crash."""
    assert usage.process_usage(8) is None
    (proc / "stat").unlink()
    assert usage.core_usages() == ()


def test_this_very_process_is_there() -> None:
    """On this host, for real."""
    found = usage.process_usage(os.getpid())
    assert found is not None
    assert found.cpu_ns > 0
    assert found.rss_bytes > 1_000_000
