"""Disks as the kernel counts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sources.kernel import sample_disks


def test_a_disk_is_reported_and_its_partition_is_not(tmp_path: Path) -> None:
    """Writes, flushes and how long they took; a disk without a device, or never used, is none."""
    lines: list[str] = []
    batch = SampleBatch("kernel", lines.append)
    (tmp_path / "devices" / "vda" / "device").mkdir(parents=True)
    for second, (writes, busy, flushes) in enumerate(((10, 100, 5), (30, 600, 15)), start=1):
        counts = f"1 1 1 1 {writes} 1 1 {writes * 2} 0 {busy} 9 0 0 0 0 {flushes} {flushes * 40}"
        text = f"254 0 vda {counts}\n254 1 vda1 {counts}\n7 0 loop0 {'0 ' * 17}\n"
        (tmp_path / "diskstats").write_text(text, encoding="ascii")
        sample_disks(batch, tmp_path, tmp_path / "devices")
        batch.end(second * NS_PER_S)
    found = read_telemetry("".join(lines), 0).time_series
    assert {name: track.values for name, track in found.items()} == {
        "disk.vda.busy_share": pytest.approx((0.5,)),
        "disk.vda.writes_per_s": (20,),
        "disk.vda.write_ms": (2,),
        "disk.vda.flushes_per_s": (10,),
        "disk.vda.flush_ms": (40,),
    }


def test_a_kernel_without_disk_figures(tmp_path: Path) -> None:
    """A reason stands in place of the figures."""
    lines: list[str] = []
    batch = SampleBatch("kernel", lines.append)
    sample_disks(batch, tmp_path)
    batch.end(NS_PER_S)
    assert "disks" in "".join(lines)
