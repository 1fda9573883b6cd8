"""Two settings of the engine in alternate runs, one run each, from end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.analysis.comparison import RUNS_MIN
from harness.assessment.comparison_result import LeftOut, Reason
from harness.assessment.interleave_folder import InterleaveFolder
from harness.cli.app import app
from harness.evidence.run_folder import RunFolder
from harness.stack.settings import ROOT
from tests.unit.compare.runs import stored_result

pytestmark = pytest.mark.stack

SMALL = (
    "load.stages.0.agents=5",
    "load.stages.0.rate_from=110",
    "load.stages.0.duration_s=4",
    "load.warmup_s=1",
)


def test_one_run_of_each_side_decides_nothing(tmp_path: Path) -> None:
    """Each side has its settings; the comparison names what is missing, and is made again."""
    settings = tmp_path / "four.toml"
    settings.write_text('name = "four workers"\nset = ["engine.workers=4"]\n')
    words = [word for own in SMALL for word in ("--set", own)]
    words += ["--scenario", str(ROOT / "scenarios" / "smoke.toml"), "--reports", str(tmp_path)]
    runner = CliRunner()
    first = runner.invoke(
        app, ["compare", str(ROOT), str(settings), "--interleave", "--runs", "1", *words]
    )
    folder = InterleaveFolder.open(next(tmp_path.glob("*-compare")))
    result = stored_result(folder)
    # A busy host may make runs INVALID; nothing else is wrong with them.
    assert first.exit_code == result.exit_code in (3, 4), first.output
    if result.reason is Reason.TOO_FEW_RUNS:
        assert result.runs_more is not None
        assert (result.runs_more.base, result.runs_more.new) == (RUNS_MIN - 1, RUNS_MIN - 1)
    assert result.new.source == "four workers"
    for side, workers in ((result.base, 2), (result.new, 4)):
        for run in side.runs:
            assert run.left_out in (None, LeftOut.INVALID)
            scenario = RunFolder.open(folder.run_path(run.run_id)).read_scenario()
            assert scenario.engine.workers == workers
    again = runner.invoke(app, ["compare", str(folder.path)])
    assert (again.exit_code, stored_result(folder)) == (first.exit_code, result)
