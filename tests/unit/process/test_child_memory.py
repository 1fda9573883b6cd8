"""What a worker reports for hours stays out of the memory of its parent."""

from __future__ import annotations

import gc
import json
from pathlib import Path

from harness.process.child import ChildProcess


def test_only_the_newest_status_is_kept(tmp_path: Path) -> None:
    """Each line is on disk; the objects of all but the last are gone."""
    kept = tmp_path / "status.jsonl"
    child = ChildProcess("module", "", tmp_path / "log", "swarm", keep=kept)
    for number in range(200):
        # A list in it, since the collector does not know objects without references.
        child._record(json.dumps({"line number": number, "parts": [number]}).encode() + b"\n")
    alive = [one for one in gc.get_objects() if isinstance(one, dict) and "line number" in one]
    assert child.latest == {"line number": 199, "parts": [199]}
    assert len(alive) == 1
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 200
