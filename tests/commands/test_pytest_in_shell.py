"""The pytest plugin in processes of its own: what it imports, and the workers of xdist."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.stack.settings import ROOT
from tests.unit.api.conftest import write_scenario
from tests.unit.api.test_pytest_plugin import PLUGIN

# Each run takes 0.3 s and writes when it began and ended.
CONFTEST = """
import tempfile, time
from pathlib import Path
from harness.api import running
from tests.unit.api.conftest import StoredRuns

HERE = Path(__file__).parent
tempfile.tempdir = str(HERE)
runs = StoredRuns()

def slowly(asked, reports, *rest):
    began = time.monotonic()
    found = runs(asked, reports / str(began), *rest)
    time.sleep(0.3)
    (HERE / f"{began}.span").write_text(f"[{began}, {time.monotonic()}]")
    return found

running.run_once = slowly
"""


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The interpreter with the harness and its tests on the path, in another folder."""
    path = f"{ROOT}:{ROOT / 'compose'}"
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


def test_a_plugin_that_is_not_used_imports_nothing(tmp_path: Path) -> None:
    """Every pytest of the environment pays for what it imports."""
    code = """
import sys, pytest, typing, re, pathlib, collections.abc
before = set(sys.modules)
import harness.pytest_plugin
print(sorted(set(sys.modules) - before))
"""
    done = python("-c", code, cwd=tmp_path)
    assert done.stdout.strip() == "['harness', 'harness.pytest_plugin']", done.stderr


def test_a_run_patches_nothing_in_this_process(tmp_path: Path) -> None:
    """Locust, which patches sockets and threads on import, is in processes of its own."""
    code = """
import sys, harness
assert harness.run
print([name for name in ("locust", "gevent") if name in sys.modules])
"""
    done = python("-c", code, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr


def test_workers_of_xdist_run_one_after_another(tmp_path: Path) -> None:
    """Two runs at once would take cores from each other; their records arrive in one file."""
    write_scenario(tmp_path, "pass-plain")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_four.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "@pytest.mark.signal('pass-plain.toml')\n"
        "def test_one(n, signal_result):\n"
        "    assert signal_result.verdict.name == 'PASS'\n",
        encoding="utf-8",
    )
    done = python(
        *("-m", "pytest", *PLUGIN, "-n", "2", "--signal-save", "main", "-p", "no:cacheprovider"),
        cwd=tmp_path,
    )
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    spans = sorted(json.loads(path.read_text()) for path in tmp_path.glob("*.span"))
    assert len(spans) == 4
    assert all(spans[number][1] <= spans[number + 1][0] for number in range(3)), spans
    assert len((tmp_path / ".signal" / "main.jsonl").read_text().splitlines()) == 4
