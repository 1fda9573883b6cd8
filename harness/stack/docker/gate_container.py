"""The gate's own Anvil as a container; signals that are simulated in full have another one."""

from __future__ import annotations

from harness.gate.node_provider import OpenNode, is_closed
from harness.stack.docker.client import connect, engine_errors, if_there
from harness.stack.docker.stack import DockerStack

# 0 is the one that the engine simulates on: fuzz must not leak into it.
INSTANCE = 1


class GateContainer:
    """Starts it and removes it; sees by the engine and its port that it is gone.

    Args:
        stack: the containers that it is one more of.
    """

    def __init__(self, stack: DockerStack) -> None:
        self._stack = stack
        self._name = stack.gate_name(INSTANCE)
        self._url = ""

    def open(self) -> OpenNode:
        self._url = self._stack.open_gate(INSTANCE)
        seen = f"it answers its chain id at {self._url}, under its quota"
        return OpenNode(self._name, self._url, seen)

    def close(self) -> None:
        self._stack.close_gate(INSTANCE)

    def gone(self) -> str:
        if self._is_there() or (self._url and not is_closed(self._url)):
            return ""
        return f"the engine knows no container {self._name}, and nothing listens at {self._url}"

    def _is_there(self) -> bool:
        client, found = connect(), False
        try:
            with engine_errors(self._name), if_there():
                found = bool(client.api.inspect_container(self._name))
        finally:
            client.close()
        return found
