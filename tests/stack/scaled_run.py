"""A short run that scales its agents out and in, and restarts a service of Zone B."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.judge.scale_out import SPECS
from tests.stack.running import finish, start

_SCENARIO = """
name = "scaled"
about = "3 agents, more of them, 3, and a service restarted before the end"
objectives = ["rejected < 50 %"]
[load]
warmup_s = 1
drain_s = 10
[[load.stages]]
agents = 5
rate_from = 20
duration_s = {duration_s}
[chain]
block_time_s = 0.1
watermark_max_lag = 100
[engine]
workers = 1
[agent_containers]
agents = 3
rate = 1.0
shared_group = true
think_s = 0.5
claim_after_s = 2
steps = [{{ at_s = 1, agents = {agents} }}, {{ at_s = {in_at_s}, agents = 3 }}]
[[fault]]
kind = "restart"
target = "{restarted}"
at_s = {restart_at_s}
"""


@dataclass(frozen=True, slots=True)
class ScaledRun:
    """How it ended; checks by their ids."""

    code: int
    checks: dict[str, Any]
    measurement: dict[str, Any]
    folder: Path


def scaled_run(folder: Path, *options: str, **values: int | str) -> ScaledRun:
    """Run it; each check of a scale-out is in its result.

    Args:
        folder: for scenario and reports.
        options: of `harness run`.
        values: of the scenario: duration_s, agents, in_at_s, restarted, restart_at_s.
    """
    file = folder / "scaled.toml"
    file.write_text(_SCENARIO.format(**values), encoding="utf-8")
    started = start(folder / "reports", scenario=file, options=options)
    started.await_load()
    family = psutil.Process(started.process.pid).children(recursive=True)
    code, output = finish(started, family)
    result = json.loads((started.folder() / "result.json").read_text(encoding="utf-8"))
    checks = {one["id"]: one for one in result["judgement"]["checks"]}
    assert {spec.id for spec in SPECS} <= set(checks), output
    return ScaledRun(code, checks, result["measurement"], started.folder())
