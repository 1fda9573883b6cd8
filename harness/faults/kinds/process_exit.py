"""`kill` and `restart`: a service's own process ends, and another one takes its place."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.errors import StackError
from harness.faults.instance import (
    FaultInstance,
    HealthCheck,
    Probe,
    Services,
    injection,
    state_of,
)
from harness.process.proc import is_running, start_ticks
from harness.scenario.fault_base import FaultBase, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import AGENT_PREFIX, ServiceTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory
    from harness.faults.factory import ProcessFaultFactory
    from harness.stack.docker.client import Client

# Signals by which a service is asked to end. PostgreSQL would wait for its clients on SIGTERM;
# SIGINT is its "fast" shutdown, with a checkpoint.
_STOP_SIGNALS = {"postgres": signal.SIGINT}
_RESTART_MAX_S = 10


@fault("kill")
class Kill(FaultBase):
    """SIGKILL of the service's own process; its restart policy brings it back."""

    targets: ClassVar[TargetRule] = ServiceTarget(needs_restart=True)
    disruptive: ClassVar[bool] = True
    exits_target: ClassVar[bool] = True
    drawn: ClassVar = "always"

    kind: Literal["kill"]


@fault("restart")
class Restart(FaultBase):
    """A graceful restart: the service is asked to end, and started again."""

    targets: ClassVar[TargetRule] = ServiceTarget(needs_restart=True)
    disruptive: ClassVar[bool] = True
    drawn: ClassVar = "always"

    kind: Literal["restart"]


@injection(Kill, "process")
def _kill_process(fault: Kill, on: ProcessFaultFactory) -> FaultInstance:
    return FaultInstance(
        ProcessSignalInjector(on.services, fault.target),
        RestartProbe(on.services, fault.target, on.health_check(fault.target)),
    )


@injection(Restart, "process")
def _restart_process(fault: Restart, on: ProcessFaultFactory) -> FaultInstance:
    number = _STOP_SIGNALS.get(fault.target, signal.SIGTERM)
    return FaultInstance(
        ProcessSignalInjector(on.services, fault.target, number),
        RestartProbe(on.services, fault.target, on.health_check(fault.target)),
    )


@injection(Kill, "docker")
def _kill_container(fault: Kill, on: DockerFaultFactory) -> FaultInstance:
    service = on.service(fault.target)
    probe: Probe = RestartProbe(on.services, service, on.health_check(service))
    if service.startswith(AGENT_PREFIX):
        probe = PoolExitProbe(probe, on.inspect, on.container(service))
    # To the process and not through the engine, which would suspend the policy.
    return FaultInstance(ProcessSignalInjector(on.services, service), probe)


@injection(Restart, "docker")
def _restart_container(fault: Restart, on: DockerFaultFactory) -> FaultInstance:
    service = on.service(fault.target)
    return FaultInstance(
        ContainerRestartInjector(on.client, on.container(service)),
        RestartProbe(on.services, service, on.health_check(service)),
    )


@dataclass
class ProcessSignalInjector:
    """Sends a signal to the service's own process, which its restart policy brings back."""

    services: Services
    name: str
    number: int = signal.SIGKILL

    def inject(self) -> None:
        state = state_of(self.services, self.name)
        if state is None or not state.alive:
            raise StackError("does not run, so it cannot be ended", where=self.name)
        try:
            os.kill(state.pid, self.number)
        except (ProcessLookupError, PermissionError) as error:
            raise StackError(f"cannot be sent a signal: {error}", where=self.name) from error

    def heal(self) -> None:
        """The restart policy acts by itself."""


@dataclass
class RestartProbe:
    """Sees by the process table that one process is gone and another one works in its place."""

    services: Services
    name: str
    health_check: HealthCheck | None
    _pid: int = field(default=0, init=False)
    _ticks: int = field(default=0, init=False)

    def before(self) -> None:
        state = state_of(self.services, self.name)
        if state is None or not is_running(state.pid):
            raise StackError("does not run before its fault", where=self.name)
        self._pid, self._ticks = state.pid, start_ticks(state.pid)

    def holds(self) -> str:
        return "" if is_running(self._pid, self._ticks) else f"process {self._pid} is gone"

    def ended(self) -> str:
        state = state_of(self.services, self.name)
        if state is None or not state.alive or not is_running(state.pid):
            return ""
        if (state.pid, start_ticks(state.pid)) == (self._pid, self._ticks):
            return ""
        answer = self.health_check() if self.health_check else "it runs"
        return f"process {state.pid} is in its place; {answer}" if answer else ""


@dataclass
class ContainerRestartInjector:
    """`docker restart`: the image's stop signal, ten seconds at most, and a new start."""

    client: Client
    name: str

    def inject(self) -> None:
        from harness.stack.docker.client import engine_errors

        with engine_errors(self.name):
            self.client.api.restart(self.name, timeout=_RESTART_MAX_S)

    def heal(self) -> None:
        """The engine has started it again before `inject` returned."""


@dataclass
class PoolExitProbe:
    """Sees a service's end, and its return or that it is out of the pool, which is an end too."""

    restart_probe: Probe
    inspect: Callable[[str], dict[str, Any]]
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
