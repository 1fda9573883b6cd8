"""Runs in sibling PID namespaces, as in two containers, notice each other by a shared folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.stack.settings import ROOT

UNSHARE = shutil.which("unshare") or ""
pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(os.geteuid() != 0, reason="PID namespaces need root"),
    pytest.mark.skipif(not UNSHARE, reason="unshare is needed"),
]
RUN = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from harness.process.run_registry import other_runs, registered_run
with registered_run():
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        found = other_runs()
        print(len(found.pids), found.elsewhere, flush=True)
"""


def in_a_pid_namespace(place: Path) -> subprocess.Popen[str]:
    """A run under way that sees its own processes only."""
    command = [UNSHARE, "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen(
        [*command, sys.executable, "-I", "-c", RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    )


def ask(process: subprocess.Popen[str]) -> str:
    """What a run sees now: processes, and runs elsewhere."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_runs_in_sibling_pid_namespaces_notice_each_other(tmp_path: Path) -> None:
    """Both ways, and only as long as the other lives."""
    with in_a_pid_namespace(tmp_path) as first, in_a_pid_namespace(tmp_path) as second:
        for process in (first, second):
            assert process.stdout is not None
            # Both have the same number there, so a number says nothing.
            assert process.stdout.readline().strip() == "1"
        assert ask(first) == ask(second) == "0 1"
        first.kill()
        # The kernel ends the child when its parent, unshare, has ended.
        assert "0 0" in (ask(second) for _ in range(1_000))
        second.communicate("")
    assert [path for path in tmp_path.iterdir() if not path.name.startswith("harness-run-")] == []
