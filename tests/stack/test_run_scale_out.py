"""A scale-out in a real run: agents as child processes, and a service restarted beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.judge.scale_out import NOTHING_LEFT_PENDING, SCALE_OUT_EXECUTED, ZONE_B_UNCHANGED
from tests.stack.scaled_run import scaled_run

pytestmark = pytest.mark.stack


def test_agents_are_scaled_and_a_restarted_service_is_named(tmp_path: Path) -> None:
    """The steps are done and measured; what fails is Zone B, by the one service that changed."""
    values = {"duration_s": 7, "agents": 8, "in_at_s": 4, "restart_at_s": 5}
    run = scaled_run(tmp_path, restarted="data-processor", **values)
    assert run.code == 1
    changed = run.checks[ZONE_B_UNCHANGED.id]
    assert changed["status"] == "FAIL"
    assert {text.split(":")[0] for text in changed["examples"]} == {"data-processor"}
    executed = run.checks[SCALE_OUT_EXECUTED.id]
    assert executed["status"] == "PASS", executed
    steps = run.measurement["scale_out"]["steps"]
    assert [(one["agents"], one["started"], one["left"]) for one in steps] == [(8, 5, 0), (3, 0, 5)]
    assert steps[0]["first_event"]["count"] == 5
    assert steps[0]["first_simulated"]["count"] == 5
    assert run.checks[NOTHING_LEFT_PENDING.id]["status"] == "PASS"
    stack = json.loads((run.folder / "stack.json").read_text(encoding="utf-8"))
    assert "python-agent-8" in stack["services"]
