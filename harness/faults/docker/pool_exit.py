"""An agent that is ended so often that nobody starts it again, and how that is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.faults.docker.container_network import Inspect
from harness.faults.process_kill import RestartProbe


@dataclass
class PoolExitProbe:
    """Sees a service's end, and its return or that it is out of the pool, which is an end too."""

    restart_probe: RestartProbe
    inspect: Inspect
    name: str

    def before(self) -> None:
        self.restart_probe.before()

    def holds(self) -> str:
        return self.restart_probe.holds()

    def ended(self) -> str:
        return self.restart_probe.ended() or left_pool(self.inspect(self.name))


def left_pool(document: dict[str, Any]) -> str:
    """That the engine does not start a container again, by its own count; empty if it may.

    Args:
        document: answer of `GET /containers/{id}/json`.
    """
    state, policy = document["State"], document["HostConfig"]["RestartPolicy"]
    most, restarts = int(policy["MaximumRetryCount"]), int(document["RestartCount"])
    is_over = state["Status"] == "exited" and not state["Restarting"] and state["ExitCode"] != 0
    if policy["Name"] != "on-failure" or not most or restarts < most or not is_over:
        return ""
    return (
        f"it is out of the pool: it ended with {state['ExitCode']} after {restarts} restarts,"
        f" and {policy['Name']}:{most} allows no more"
    )
