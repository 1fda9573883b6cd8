"""The size of the run's folder."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S, ManualClock
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sources.evidence import EVERY_NS, EvidenceSize


def test_files_of_the_folder_and_of_those_in_it(tmp_path: Path) -> None:
    """Sizes as they are now, every ten seconds; a link counts as itself."""
    folder, outside = tmp_path / "run", tmp_path / "outside"
    (folder / "journal").mkdir(parents=True)
    outside.write_bytes(bytes(10**6))
    (folder / "run.json").write_bytes(bytes(100))
    (folder / "journal" / "a.bin").write_bytes(bytes(20))
    (folder / "link").symlink_to(outside)
    link_bytes = (folder / "link").lstat().st_size
    lines: list[str] = []
    clock, batch = ManualClock(), SampleBatch("evidence", lines.append)
    source = EvidenceSize(folder, clock)
    for added in (0, 7, 7):
        (folder / "run.json").write_bytes(bytes(100 + added))
        source.sample(batch)
        batch.end(clock.now_ns())
        clock.advance(EVERY_NS if not added else NS_PER_S)
    series = read_telemetry("".join(lines), 0).time_series["harness.evidence_bytes"]
    assert series.values == (120 + link_bytes, 127 + link_bytes)
