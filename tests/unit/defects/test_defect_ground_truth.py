"""The ground truth survives a crash, and an engine without defects knows nothing of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.stack.settings import ROOT
from zone_b import statements
from zone_b.defects import states
from zone_b.defects.ground_truth import GroundTruth
from zone_b.defects.install import defective
from zone_b.settings import Settings, SettingsError
from zone_b.worker_parts import WorkerParts, parts_of

URL = "redis://:secret@127.0.0.1:1/0"


def test_lines_say_what_whom_and_when(tmp_path: Path) -> None:
    """One line an act; several writers append to one file, and acts can be counted."""
    path = tmp_path / "defects.jsonl"
    one, two = GroundTruth(str(path)), GroundTruth(str(path))
    one.note("stuck_row", "a-trace")
    two.note("slow_all")
    one.note("stuck_row", "another")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line["defect"], line["trace_id"]) for line in lines] == [
        ("stuck_row", "a-trace"),
        ("slow_all", None),
        ("stuck_row", "another"),
    ]
    assert all(isinstance(line["mono_ns"], int) for line in lines)
    assert (one.count("stuck_row"), two.count("slow_lock")) == (2, 0)


def test_a_crash_loses_no_line(tmp_path: Path) -> None:
    """What was noted is in the file when the process is killed at once."""
    path = tmp_path / "defects.jsonl"
    truth = GroundTruth(str(path))
    child = os.fork()
    if child == 0:
        truth.note("crash_loop")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert truth.count("crash_loop") == 1


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Defects without ground truth are refused."""
    with pytest.raises(SettingsError, match="DEFI_DEFECT_LOG cannot be written"):
        GroundTruth(str(tmp_path / "missing" / "defects.jsonl"))
    with pytest.raises(SettingsError, match="DEFI_DEFECT_LOG is missing"):
        defective(Settings(URL, defects="stuck_row:rate=1"))


def test_without_defects_nothing_of_them_is_loaded() -> None:
    """An honest engine has honest parts, and never imports the others."""
    assert parts_of(Settings(URL)) == WorkerParts()
    program = (
        "import sys\n"
        "from zone_b.worker_parts import parts_of\n"
        "from zone_b.settings import Settings\n"
        "import zone_b.engine, zone_b.worker\n"
        f"parts_of(Settings({URL!r}))\n"
        "assert not [name for name in sys.modules if 'defect' in name], sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "compose")}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_changed_statements_still_have_their_parts() -> None:
    """A defect that changes the engine's statement finds in it what it changes."""
    for defect in (states.SkipsInit, states.NonceMissing, states.ClockSkewed):
        assert defect.changes
        for old, new in defect.changes:
            assert statements.COMMIT_TRADE.count(old) == 1
            assert new != old
