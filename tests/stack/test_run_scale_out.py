"""A scale-out in a real run: agents as child processes, and a service restarted beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.judge.scale_out import SCALE_OUT_EXECUTED, SPECS, ZONE_B_UNCHANGED
from tests.stack.running import finish, start

pytestmark = pytest.mark.stack

SCENARIO = """
name = "scaled"
about = "3 agents, 8, 3, and an RPC node restarted before the end"
objectives = ["rejected < 50 %"]
[load]
warmup_s = 1
drain_s = 10
[[load.stages]]
agents = 5
rate_from = 20
duration_s = 7
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
steps = [{ at_s = 1, agents = 8 }, { at_s = 4, agents = 3 }]
[[fault]]
kind = "restart"
target = "data-processor"
at_s = 5
"""


def test_agents_are_scaled_and_a_restarted_service_is_named(tmp_path: Path) -> None:
    """The steps are done and measured; what fails is Zone B, by the one service that changed."""
    file = tmp_path / "scaled.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    started = start(tmp_path / "reports", scenario=file)
    started.await_load()
    family = psutil.Process(started.process.pid).children(recursive=True)
    code, output = finish(started, family)
    result = json.loads((started.folder() / "result.json").read_text(encoding="utf-8"))
    checks: dict[str, Any] = {one["id"]: one for one in result["judgement"]["checks"]}
    assert {spec.id for spec in SPECS} <= set(checks), output
    assert code == 1
    changed = checks[ZONE_B_UNCHANGED.id]
    assert changed["status"] == "FAIL"
    assert {text.split(":")[0] for text in changed["examples"]} == {"data-processor"}
    assert checks[SCALE_OUT_EXECUTED.id]["status"] == "PASS", checks[SCALE_OUT_EXECUTED.id]
    steps = result["measurement"]["scale_out"]["steps"]
    assert [(one["agents"], one["started"], one["left"]) for one in steps] == [(8, 5, 0), (3, 0, 5)]
    assert steps[0]["first_event"]["count"] == 5
    assert steps[0]["first_simulated"]["count"] == 5
    assert checks["nothing_left_pending"]["status"] == "PASS"
    stack = json.loads((started.folder() / "stack.json").read_text(encoding="utf-8"))
    assert "python-agent-8" in stack["services"]
