"""The scripts of a night, a comparison and a sign-off, with the real command and short runs."""

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


POLICY = """
[policy]
name = "short"
about = "do all parts of a sign-off fit together?"
[[criterion]]
id = "load"
question = "Does a short load end?"
kind = "run"
scenario = "short-night.toml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with a scenario, a policy, two settings files, and the command."""
    command = tmp_path / "harness"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m harness "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    for name, text in (
        ("short-night.toml", SCENARIO),
        ("policy.toml", POLICY),
        ("base.toml", 'name = "base"\n'),
        ("new.toml", 'name = "new"\nset = ["engine.workers=1"]\n'),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(folder: Path, mode: str, **settings: str) -> tuple[int, str, str]:
    """Exit code, summary and verdict of the script."""
    done = subprocess.run(
        ["sh", str(ROOT / "ci" / "run.sh")],  # noqa: S607 - the one on the path, as in CI
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'compose'}",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "LOAD_HARNESS": str(folder / "harness"),
            "LOAD_MODE": mode,
            "LOAD_STACK": "process",
            "LOAD_SCENARIO": "short-night.toml",
            "LOAD_RUNS": "1",
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # A busy machine makes a run INVALID, which is a verdict too.
    assert done.returncode in (Exit.PASS, Exit.INCONCLUSIVE, Exit.INVALID), done.stderr
    assert "warning:" not in done.stderr
    verdict = (folder / "output").read_text(encoding="utf-8").rpartition("verdict=")[2].strip()
    return done.returncode, (folder / "summary.md").read_text(encoding="utf-8"), verdict


def test_a_night_leaves_summary_picture_and_history(folder: Path) -> None:
    """From the script to the page of the job."""
    code, summary, verdict = run(folder, "nightly")
    kept = folder / "load-test"
    assert len((kept / "history.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert (kept / "trend.svg").read_text(encoding="utf-8").startswith("<svg")
    (run_folder,) = (kept / "reports").iterdir()
    page = (kept / "site" / "index.html").read_text(encoding="utf-8")
    assert f'href="runs/{run_folder.name}.html"' in page
    assert (run_folder / "junit.xml").is_file()
    assert summary.startswith(f"## {verdict}: ")
    if code != Exit.INVALID:
        assert any(f"`{block}`" in summary for block in BLOCKS)
        assert summary.index("```mermaid") < summary.index("<details")


def test_a_comparison_of_two_settings_files(folder: Path) -> None:
    """One run of each side decides nothing; the summary says so first."""
    code, summary, verdict = run(folder, "compare", LOAD_BASE="base.toml", LOAD_NEW="new.toml")
    assert (code, verdict) in ((Exit.INCONCLUSIVE, "CANNOT TELL"), (Exit.INVALID, "INVALID"))
    assert summary.startswith(f"## {verdict}")
    (comparison,) = (folder / "load-test" / "reports").iterdir()
    assert (comparison / "compare.json").is_file()
    assert (folder / "load-test" / "junit.xml").is_file()


def test_a_sign_off_is_verified(folder: Path) -> None:
    """Child processes without quotas are INDICATIVE at best; the archive matches its evidence."""
    code, summary, verdict = run(folder, "signoff", LOAD_POLICY="policy.toml")
    assert (code, verdict) == (Exit.INCONCLUSIVE, "INDICATIVE OR UNKNOWN")
    assert summary.startswith(f"## {verdict}: ")
    assert "MATCHES" in (folder / "load-test" / "verify.txt").read_text(encoding="utf-8")
    assert len([*(folder / "load-test" / "signoff").glob("*.tar.gz")]) == 1
