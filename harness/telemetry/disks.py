"""The host's disks, from Linux's diskstats.

Fields: https://docs.kernel.org/admin-guide/iostats.html. Flushes are counted since Linux 5.5. Only
whole disks are told: what a partition or a mapped device does, its disk does.
"""

from __future__ import annotations

from pathlib import Path

from harness.clock import NS_PER_MS
from harness.process.proc import PROC
from harness.telemetry.sample_batch import SampleBatch

# Counted after the name.
_WRITES, _WRITE_MS, _BUSY_MS, _FLUSHES, _FLUSH_MS = 4, 7, 9, 15, 16


def sample_disks(sheet: SampleBatch, proc: Path = PROC, devices: Path = Path("/sys/block")) -> None:
    """Every disk now; nothing of those that were never used."""
    try:
        lines = (proc / "diskstats").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    sheet.unread("host.disks", None if lines else "the kernel does not tell what its disks do")
    for line in lines:
        name, *words = line.split()[2:]
        counts = [int(word) for word in words]
        if not any(counts) or not (devices / name / "device").exists():
            continue
        sheet.time(f"disk.{name}.busy_share", counts[_BUSY_MS] * NS_PER_MS)
        sheet.limit(f"disk.{name}.busy_share", 1, "")
        sheet.total(f"disk.{name}.writes_per_s", counts[_WRITES])
        sheet.mean(f"disk.{name}.write_ms", counts[_WRITE_MS], counts[_WRITES])
        if len(counts) > _FLUSH_MS:
            sheet.total(f"disk.{name}.flushes_per_s", counts[_FLUSHES])
            sheet.mean(f"disk.{name}.flush_ms", counts[_FLUSH_MS], counts[_FLUSHES])
