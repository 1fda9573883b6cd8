"""Runs for the matrix: the command as a user gives it, and what it left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = Path(__file__).parent / "scenario.toml"
RUN_MAX_S = 170
# Runs at once: a run waits most of its time, for the load and for the last signals.
SIDE_BY_SIDE = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run.

    Attributes:
        folder: the run's folder.
        verdict: of the run.
        checks: as in `result.json`.
        grade_reasons: why it is no sign-off.
        acts: signals that the defects acted on, in order; None for an act on none in particular.
    """

    folder: Path
    verdict: str
    checks: tuple[dict[str, Any], ...]
    grade_reasons: tuple[str, ...]
    acts: tuple[str | None, ...]

    @property
    def alarms(self) -> tuple[dict[str, Any], ...]:
        """The checks that are not clean."""
        return tuple(
            check for check in self.checks if check["status"] not in ("PASS", "NOT_APPLICABLE")
        )

    def named(self, name: str) -> dict[str, Any] | None:
        """The check of this name; the worst of several."""
        found = [check for check in self.checks if check["id"] == name]
        red = [check for check in found if check["status"] not in ("PASS", "NOT_APPLICABLE")]
        return next(iter(red or found), None)


def run(
    reports: Path,
    *,
    scenario: Path = SCENARIO,
    defects: Sequence[str] = (),
    settings: Sequence[str] = (),
    options: Sequence[str] = (),
    telemetry: bool = False,
) -> Outcome:
    """Run the harness as a user would, and wait for its end.

    Args:
        reports: folder that this run has for itself.
        scenario: file of the scenario.
        defects: each as given to `--defect`.
        settings: each as given to `--set`.
        options: further ones.
        telemetry: whether it is collected. Runs side by side are foreign programs to each other:
            with telemetry, a latency that is missed beside them is INVALID.

    Raises:
        RuntimeError: it left no result.
    """
    command = [sys.executable, "-m", "harness", "run", str(scenario), "--reports", str(reports)]
    if not telemetry:
        command += ["--set", "telemetry.enabled=false"]
    for defect in defects:
        command += ["--defect", defect]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(
        [*command, *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_MAX_S,
        check=False,
    )
    results = sorted(reports.glob("*/result.json"))
    if not results:
        raise RuntimeError(f"no result, exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return read_outcome(results[-1].parent)


def read_outcome(folder: Path) -> Outcome:
    """What a run left behind."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    log = folder / "defects.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return Outcome(
        folder=folder,
        verdict=result["verdict"],
        checks=tuple(result["judgement"]["checks"]),
        grade_reasons=tuple(result["judgement"]["grade"]["reasons"]),
        acts=tuple(json.loads(line)["trace_id"] for line in lines),
    )
