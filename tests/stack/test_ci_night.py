"""The script of a night, with the real command and a short run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import Exit
from harness.report.sparkline import BLOCKS

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """
name = "short-night"
about = "do all parts of a night fit together?"
objectives = ["p50 < 5 s"]
[load]
warmup_s = 1
drain_s = 10
[[load.stages]]
agents = 5
rate_from = 40
duration_s = 5
"""


def test_a_night_leaves_summary_picture_and_history(tmp_path: Path) -> None:
    """From the script to the page of the job."""
    command = tmp_path / "harness"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m harness "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    scenario = tmp_path / "short-night.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    done = subprocess.run(
        ["sh", str(ROOT / "ci" / "run.sh")],  # noqa: S607 - the one on the path, as in CI
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'compose'}",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "LOAD_HARNESS": str(command),
            "LOAD_MODE": "nightly",
            "LOAD_STACK": "process",
            "LOAD_SCENARIO": str(scenario),
            "LOAD_RUNS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # A busy machine makes the run INVALID, which is a verdict too.
    assert done.returncode in (Exit.PASS, Exit.INCONCLUSIVE, Exit.INVALID), done.stderr
    assert "warning:" not in done.stderr
    kept = tmp_path / "load-test"
    assert len((kept / "history.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert (kept / "trend.svg").read_text(encoding="utf-8").startswith("<svg")
    (run_folder,) = (kept / "reports").iterdir()
    page = (kept / "site" / "index.html").read_text(encoding="utf-8")
    assert f'href="runs/{run_folder.name}.html"' in page
    assert (run_folder / "junit.xml").is_file()
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    verdict = (tmp_path / "output").read_text(encoding="utf-8").rpartition("verdict=")[2].strip()
    assert summary.startswith(f"## {verdict}: ")
    if done.returncode != Exit.INVALID:
        assert any(f"`{block}`" in summary for block in BLOCKS)
        assert summary.index("```mermaid") < summary.index("<details")
