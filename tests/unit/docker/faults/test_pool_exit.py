"""When the engine does not start a container again, by its own count."""

from __future__ import annotations

from typing import Any

import pytest

from harness.faults.kinds.process_exit import PoolExitProbe, RestartProbe, left_pool
from harness.stack.base import ServiceState


def document(
    *, status: str = "exited", code: int = 137, restarts: int = 3, policy: str = "on-failure"
) -> dict[str, Any]:
    """The engine's document of a container."""
    return {
        "State": {"Status": status, "Restarting": status == "restarting", "ExitCode": code},
        "RestartCount": restarts,
        "HostConfig": {"RestartPolicy": {"Name": policy, "MaximumRetryCount": 3}},
    }


@pytest.mark.parametrize(
    "other",
    [
        {"status": "running", "code": 0},
        {"status": "restarting"},
        {"restarts": 2},
        {"code": 0},
        {"policy": "always"},
    ],
)
def test_only_one_that_stays_away_is_out(other: dict[str, Any]) -> None:
    """An end in order, and one that it is about to make up for, are none."""
    assert "after 3 restarts, and on-failure:3 allows no more" in left_pool(document())
    assert left_pool(document(**other)) == ""


def test_to_come_back_is_an_end_too() -> None:
    """The probe accepts either."""
    states = [ServiceState("python-agent-1", 0, False, 3, -9)]
    found = {"now": document(status="restarting")}
    ends = RestartProbe(lambda: tuple(states), "python-agent-1", None)
    probe = PoolExitProbe(ends, lambda _: found["now"], "harness-x-python-agent-1")
    assert probe.ended() == ""
    found["now"] = document()
    assert "out of the pool" in probe.ended()
