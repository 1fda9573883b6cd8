"""A short sign-off for real: begun, interrupted, resumed, and verified.

The host decides whether a run of seconds is valid, so no test asks for a status.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.assessment.signoff_folder import SignoffFolder
from harness.experiments.signoff_verify import verify_signoff
from harness.stack.settings import ROOT

pytestmark = pytest.mark.stack

POLICY = """
[policy]
name = "short"
about = "one run and one round of faults, both of seconds"
attempts = 1

[[criterion]]
id = "load"
question = "Does a short run pass?"
kind = "run"
scenario = "scenarios/smoke.toml"
set = [
    "load.warmup_s=1", "load.drain_s=5", "load.stages.0.agents=5", "load.stages.0.rate_from=40",
    "load.stages.0.duration_s=4", "load.until_decided_s=4.5", "engine.workers=1",
]

[[criterion]]
id = "faults"
question = "Does the system recover?"
kind = "chaos"
scenario = "scenarios/chaos.toml"
set = [
    "load.warmup_s=1", "load.drain_s=5", "load.stages.0.agents=5", "load.stages.0.duration_s=5",
    "engine.workers=1",
]
rounds = 1
faults = ["checkpoint"]
"""


def test_interrupted_gone_on_with_and_verified(tmp_path: Path) -> None:
    """The attempt that was aborted is kept; the archive matches its evidence."""
    policy = tmp_path / "short.toml"
    policy.write_text(POLICY, encoding="utf-8")
    command = [sys.executable, "-m", "harness", "signoff"]
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*command, str(policy), "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(out.glob("*/attempts/load-1/*/plan.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 4, output
    assert "go on with: harness signoff" in output
    (path,) = out.glob("*-signoff")
    done = subprocess.run(
        [*command, str(path)],
        capture_output=True, text=True, cwd=ROOT, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 3), done.stdout + done.stderr
    document = json.loads((path / "signoff.json").read_text(encoding="utf-8"))
    load, faults = document["criteria"]
    assert [one["outcome"] for one in load["attempts"]] == ["aborted", "completed"]
    assert [one["outcome"] for one in faults["attempts"]] == ["completed"]
    assert len(faults["attempts"][0]["runs"]) == 1
    found = verify_signoff(path.with_name(f"{path.name}.tar.gz"))
    assert found.differences == ()
    assert SignoffFolder.open(path).document.is_file()
