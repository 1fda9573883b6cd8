"""A small experiment from end to end: two levels of a setting of PostgreSQL, a run each."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.assessment.scale_folder import ScaleFolder
from harness.cli.app import app
from harness.evidence.run_folder import RunFolder

pytestmark = pytest.mark.stack

EXPERIMENT = """
[experiment]
name = "small"
about = "two levels of a setting of PostgreSQL"
base = "scenarios/smoke.toml"
vary = "postgres.work_mem"
levels = ["4MB", "8MB"]
repeats = 1
attempts = 1
indicative = true
measure = "latency"
set = ["load.stages.0.agents=5", "load.stages.0.rate_from=50", "load.stages.0.duration_s=3",
       "load.warmup_s=1", "telemetry.enabled=false"]
"""


def test_two_levels_of_a_setting(tmp_path: Path) -> None:
    """Each run has the setting in force, says so in its grade, and is judged again the same."""
    file = tmp_path / "small.toml"
    file.write_text(EXPERIMENT, encoding="utf-8")
    runner = CliRunner()
    first = runner.invoke(app, ["scale", str(file), "--reports", str(tmp_path)])
    folder = ScaleFolder.open(next(tmp_path.glob("*-scale")))
    result = folder.read_result()
    # A busy host may make runs INVALID; nothing else is wrong with them.
    assert first.exit_code == result.exit_code in (0, 3, 4), first.output
    assert sorted(str(cell.level) for cell in result.cells) == ["4MB", "8MB"]
    for cell in result.cells:
        run = RunFolder.open(folder.path / cell.run_id)
        applied = run.read_json(run.stack)["postgres"]["settings"]["work_mem"]
        assert applied == {"specified": cell.level, "applied": cell.level}
    assert any("postgres.work_mem" in reason for reason in result.grade.reasons)
    assert folder.html.is_file()
    again = runner.invoke(app, ["judge", str(folder.path)])
    assert (again.exit_code, folder.read_result()) == (first.exit_code, result)
