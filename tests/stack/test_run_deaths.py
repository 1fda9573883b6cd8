"""Killing parts of a run: the right verdict or a clear error, never a PASS, and nothing left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.cli.running import judge_folder
from harness.errors import Exit

ROOT = Path(__file__).resolve().parents[2]
RUN_MAX_S = 100
pytestmark = pytest.mark.stack

# What dies, how its process is recognized, and which exit codes are right.
VICTIMS = {
    "swarm": ("harness.load.worker", {Exit.INVALID, Exit.FAIL}),
    "observer": ("harness.observe.worker", {Exit.INVALID, Exit.FAIL}),
    "engine": ("zone_b.engine", {Exit.INVALID, Exit.FAIL}),
    "redis": ("redis-server", {Exit.INVALID, Exit.FAIL}),
    "postgres": ("/bin/postgres", {Exit.INVALID, Exit.FAIL}),
}

SIGNALS = {
    "interrupt": signal.SIGINT,
    "terminate": signal.SIGTERM,
    "kill": signal.SIGKILL,
}
End = tuple[int, str, Path]


@dataclass
class Started:
    """A harness under way."""

    process: subprocess.Popen[str]
    reports: Path

    def folder(self) -> Path:
        """The run's folder."""
        return next(path for path in self.reports.iterdir() if path.is_dir())

    def find(self, mark: str) -> psutil.Process | None:
        """Its oldest descendant whose command line has this in it."""
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        found = [child for child in family if mark in " ".join(_words(child))]
        return min(found, key=lambda child: child.create_time(), default=None)

    def await_load(self) -> None:
        """Wait until signals flow."""
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            for path in self.reports.glob("*/journal/attempts-0.bin"):
                if path.stat().st_size > 48 * 30:
                    return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.1)
        raise AssertionError("no signal within 100 s")


def start(reports: Path, duration_s: float = 5) -> Started:
    """Begin a short run as a user would."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "harness", "run", str(ROOT / "scenarios" / "smoke.toml")),
            *("--agents", "5", "--rate", "20", "--duration", str(duration_s)),
            *("--set", "load.warmup_s=1", "--set", "load.drain_s=5", "--set", "engine.workers=1"),
            *("--reports", str(reports)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    return Started(process, reports)


def finish(started: Started, family: list[psutil.Process]) -> tuple[int, str]:
    """Wait for the end; exit code and output. Nothing of its family may be left."""
    output, _ = started.process.communicate(timeout=RUN_MAX_S)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, [" ".join(_words(process)) for process in alive]
    return started.process.returncode, output


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, End]:
    """Runs side by side; in each of them somebody is killed when the signals flow."""
    runs = {name: start(tmp_path_factory.mktemp(name)) for name in (*VICTIMS, *SIGNALS)}
    families = {}
    for name, run in runs.items():
        run.await_load()
        families[name] = psutil.Process(run.process.pid).children(recursive=True)
        assert len(families[name]) > 5
        if name in SIGNALS:
            run.process.send_signal(SIGNALS[name])
        else:
            victim = run.find(VICTIMS[name][0])
            assert victim is not None, name
            victim.kill()
    return {name: (*finish(run, families[name]), run.folder()) for name, run in runs.items()}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", VICTIMS)
def test_no_death_ends_in_a_pass(ends: dict[str, End], name: str) -> None:
    """The verdict is INVALID or FAIL, says who died, and is the same when judged again."""
    code, output, folder = ends[name]
    assert code in VICTIMS[name][1], output
    assert name in output, output
    stored = (folder / "result.json").read_text(encoding="utf-8")
    assert json.loads(stored)["verdict"] in {"INVALID", "FAIL"}
    assert judge_folder(folder) == code
    assert (folder / "result.json").read_text(encoding="utf-8") == stored


@pytest.mark.parametrize("name", SIGNALS)
def test_ending_the_harness_leaves_nothing(ends: dict[str, End], name: str) -> None:
    """Ctrl-C, SIGTERM and kill -9 of the harness end every process of the run."""
    code, output, _ = ends[name]
    if SIGNALS[name] == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code in {Exit.INVALID, Exit.FAIL}, output
        assert "interrupted" in output


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
