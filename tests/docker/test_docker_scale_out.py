"""A scale-out of real agent containers: measured, and Zone B compared container by container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.judge.scale_out import (
    NOTHING_LEFT_PENDING,
    SCALE_OUT_EXECUTED,
    SPECS,
    ZONE_B_UNCHANGED,
)
from tests.docker.test_docker_stack import ZONE_B
from tests.stack.running import finish, start

pytestmark = pytest.mark.docker

SCENARIO = """
name = "scaled"
about = "3 agent containers, 10, 3, and a service restarted before the end"
objectives = ["rejected < 50 %"]
[load]
warmup_s = 1
drain_s = 10
[[load.stages]]
agents = 5
rate_from = 20
duration_s = 12
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
steps = [{ at_s = 1, agents = 10 }, { at_s = 8, agents = 3 }]
[[fault]]
kind = "restart"
target = "archiver"
at_s = 6
"""


@pytest.mark.usefixtures("images")
def test_agents_are_scaled_and_a_restarted_container_is_named(tmp_path: Path) -> None:
    """The steps are done; what fails is Zone B, by the one container that was restarted."""
    file = tmp_path / "scaled.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    options = ("--stack", "docker", "--images", "offline")
    started = start(tmp_path / "reports", scenario=file, options=options)
    started.await_load()
    family = psutil.Process(started.process.pid).children(recursive=True)
    code, output = finish(started, family)
    result = json.loads((started.folder() / "result.json").read_text(encoding="utf-8"))
    checks: dict[str, Any] = {one["id"]: one for one in result["judgement"]["checks"]}
    assert {spec.id for spec in SPECS} <= set(checks), output
    changed = checks[ZONE_B_UNCHANGED.id]
    assert (code, changed["status"]) == (1, "FAIL")
    # `docker restart` keeps the container: the same id, another process.
    assert {text.split(" ")[1] for text in changed["examples"]} == {"pid", "started"}
    assert {text.split(":")[0] for text in changed["examples"]} == {"archiver"}
    assert checks[SCALE_OUT_EXECUTED.id]["status"] == "PASS", checks[SCALE_OUT_EXECUTED.id]
    assert checks[NOTHING_LEFT_PENDING.id]["status"] in {"PASS", "NOT_APPLICABLE"}
    figures = result["measurement"]["scale_out"]
    steps = figures["steps"]
    assert [(one["agents"], one["started"], one["left"]) for one in steps] == [
        (10, 7, 0),
        (3, 0, 7),
    ]
    assert {one["name"] for one in figures["services"]} == ZONE_B
    assert all(one["limits"]["cpu_quota_us"] for one in figures["services"])
