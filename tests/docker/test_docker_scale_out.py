"""A scale-out of real agent containers: measured, and Zone B compared container by container."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.scale_out import NOTHING_LEFT_PENDING, SCALE_OUT_EXECUTED, ZONE_B_UNCHANGED
from tests.docker.test_docker_stack import ZONE_B
from tests.stack.scaled_run import scaled_run

pytestmark = pytest.mark.docker


@pytest.mark.usefixtures("images")
def test_agents_are_scaled_and_a_restarted_container_is_named(tmp_path: Path) -> None:
    """The steps are done; what fails is Zone B, by the one container that was restarted."""
    options = ("--stack", "docker", "--images", "offline")
    values = {"duration_s": 12, "agents": 10, "in_at_s": 8, "restart_at_s": 6}
    run = scaled_run(tmp_path, *options, restarted="archiver", **values)
    changed = run.checks[ZONE_B_UNCHANGED.id]
    assert (run.code, changed["status"]) == (1, "FAIL")
    # `docker restart` keeps the container: the same id, another process.
    assert {text.split(" ")[1] for text in changed["examples"]} == {"pid", "started"}
    assert {text.split(":")[0] for text in changed["examples"]} == {"archiver"}
    executed = run.checks[SCALE_OUT_EXECUTED.id]
    assert executed["status"] == "PASS", executed
    assert run.checks[NOTHING_LEFT_PENDING.id]["status"] in {"PASS", "NOT_APPLICABLE"}
    figures = run.measurement["scale_out"]
    steps = figures["steps"]
    assert [(one["agents"], one["started"], one["left"]) for one in steps] == [
        (10, 7, 0),
        (3, 0, 7),
    ]
    assert {one["name"] for one in figures["services"]} == ZONE_B
    assert all(one["limits"]["cpu_quota_us"] for one in figures["services"])
