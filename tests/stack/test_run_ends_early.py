"""A load that ends early because an objective cannot be kept, on real servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.assessment.assess import assess
from harness.errors import Exit
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Status

ROOT = Path(__file__).resolve().parents[2]
RUN_MAX_S = 100
WATCHED = "p99 over any 2 s < 1 us"
SCENARIO = f"""
name = "impossible"
about = "an objective that nothing can meet"
objectives = ["rate >= 99 %", {{ objective = "{WATCHED}", abort_on_fail = true }}]
[load]
warmup_s = 1
drain_s = 5
[[load.stages]]
agents = 5
rate_from = 80
duration_s = 60
[engine]
workers = 1
"""
pytestmark = [pytest.mark.stack, pytest.mark.pair]


def test_impossible_objective_ends_the_load_and_is_the_reason(tmp_path: Path) -> None:
    """The minute of load is not waited for; the evidence says FAIL, now and when judged again."""
    path = tmp_path / "impossible.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "run", str(path)),
            *("--reports", str(tmp_path / "reports")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        timeout=RUN_MAX_S,
        check=False,
    )
    assert done.returncode == Exit.FAIL, done.stdout
    folder = RunFolder.open(next((tmp_path / "reports").iterdir()))
    assert [event.kind for event in folder.read_run().events] == ["aborted"]
    facts = folder.read_run()
    telemetry = read_telemetry(folder.telemetry.read_text(encoding="utf-8"), facts.t0_ns)
    assert folder.telemetry.name in facts.kept
    assert telemetry.of("service.engine.cpu_cores")
    found = assess(folder)
    assert found.judgement.reasons[0].name == WATCHED
    early = next(c for c in found.judgement.checks if c.id == "abort_justified")
    assert early.status is Status.PASS
    assert found.measurement.account.attempted < 0.8 * 60 * 80
    assert found.measurement.account.lost == 0
