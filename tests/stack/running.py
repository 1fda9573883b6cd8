"""Runs as a user starts them: a process of its own, watched from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
RUN_MAX_S = 100


@dataclass
class Started:
    """A harness under way."""

    process: subprocess.Popen[str]
    reports: Path

    def folder(self) -> Path:
        """The run's folder."""
        return next(path.parent for path in self.reports.glob("*/journal"))

    def find(self, mark: str) -> psutil.Process | None:
        """Its oldest descendant whose command line has this in it."""
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        found = [child for child in family if mark in " ".join(_command_line(child))]
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


def start(
    reports: Path,
    duration_s: float = 5,
    *,
    agents: int = 5,
    rate: int = 20,
    module: str = "harness",
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    scenario: Path | None = None,
) -> Started:
    """Begin a short run as a user would.

    Args:
        reports: where its folder goes.
        duration_s: of the measured load.
        agents: how many.
        rate: signals/s.
        module: what to run instead of the harness itself.
        env: variables added to the environment.
        options: more of the command's own.
        scenario: file of another one than `smoke`, which is left as it is.
    """
    smaller = (
        *("--agents", str(agents), "--rate", str(rate), "--duration", str(duration_s)),
        *("--set", "load.warmup_s=1", "--set", "load.drain_s=5", "--set", "engine.workers=1"),
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", module, "run"),
            str(scenario or ROOT / "scenarios" / "smoke.toml"),
            *(() if scenario else smaller),
            *("--reports", str(reports), *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )
    return Started(process, reports)


def finish(started: Started, family: list[psutil.Process]) -> tuple[int, str]:
    """Wait for the end; exit code and output. Nothing of its family may be left."""
    output, _ = started.process.communicate(timeout=RUN_MAX_S)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, [" ".join(_command_line(process)) for process in alive]
    return started.process.returncode, output


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
