"""`pause` and `rpc_stall`: every process of a service is frozen, and goes on afterwards."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import psutil

from harness.errors import StackError
from harness.faults.docker.container_inspection import is_frozen
from harness.faults.instance import FaultInstance, HealthCheck, Services, injection, state_of
from harness.process.proc import is_running, start_ticks
from harness.process.proc import state_of as process_state
from harness.scenario.fault_base import FaultBase, Length, Name, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import OnlyTarget, ServiceTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory
    from harness.faults.factory import ProcessFaultFactory
    from harness.stack.docker.client import Client

_ROUNDS_MAX = 10
_STOPPED = frozenset("Tt")


@fault("pause")
class Pause(FaultBase):
    """Every process of the service is stopped for `for_s`."""

    targets: ClassVar[TargetRule] = ServiceTarget()
    disruptive: ClassVar[bool] = True
    drawn: ClassVar = "always"

    kind: Literal["pause"]
    for_s: Length


@fault("rpc_stall")
class RpcStall(FaultBase):
    """The RPC node takes connections and answers none for `for_s`."""

    targets: ClassVar[TargetRule] = OnlyTarget(names=("anvil",))
    disruptive: ClassVar[bool] = True
    drawn: ClassVar = "always"

    kind: Literal["rpc_stall"]
    target: Name = "anvil"
    for_s: Length


@injection(Pause, "process")
@injection(RpcStall, "process")
def _freeze_processes(fault: Pause | RpcStall, on: ProcessFaultFactory) -> FaultInstance:
    name, is_silent = fault.target, isinstance(fault, RpcStall)
    return FaultInstance(
        PauseInjector(on.services, name),
        PauseProbe(on.services, name, on.health_check(name), is_silent),
    )


@injection(Pause, "docker")
@injection(RpcStall, "docker")
def _freeze_container(fault: Pause | RpcStall, on: DockerFaultFactory) -> FaultInstance:
    service, is_silent = on.service(fault.target), isinstance(fault, RpcStall)
    return FaultInstance(
        FreezeInjector(on.client, on.container(service)),
        FreezeProbe(on.services, service, on.health_check(service), is_silent),
    )


def process_tree(pid: int) -> tuple[int, ...]:
    """A process and all below it, parents first; nothing when it is gone."""
    try:
        process = psutil.Process(pid)
        return (pid, *(child.pid for child in process.children(recursive=True)))
    except psutil.Error:
        return ()


@dataclass
class PauseInjector:
    """SIGSTOP to the service's process and all its children; SIGCONT to heal."""

    services: Services
    name: str
    _stopped: dict[int, int] = field(default_factory=dict, init=False)

    def inject(self) -> None:
        state = state_of(self.services, self.name)
        if state is None or not state.alive:
            raise StackError("does not run, so it cannot be frozen", where=self.name)
        # Parents first: a stopped one has no further children.
        for _ in range(_ROUNDS_MAX):
            fresh = [pid for pid in process_tree(state.pid) if pid not in self._stopped]
            if not fresh:
                return
            for pid in fresh:
                self._stopped[pid] = start_ticks(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)

    def heal(self) -> None:
        # Children first: a parent that goes on at once may miss them.
        for pid, ticks in reversed(self._stopped.items()):
            if is_running(pid, ticks):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


@dataclass
class PauseProbe:
    """Reads the state of every process of the service from the kernel.

    Attributes:
        silent: whether a request must go unanswered too, before the fault counts as in force.
    """

    services: Services
    name: str
    health_check: HealthCheck | None
    silent: bool = False

    def before(self) -> None:
        if not self._states():
            raise StackError("does not run before its fault", where=self.name)
        if self._stopped():
            raise StackError("is stopped before its fault", where=self.name)

    def holds(self) -> str:
        states = self._states()
        if not states or len(self._stopped()) < len(states):
            return ""
        seen = f"all of its processes ({len(states)}) are in state T"
        if not self.silent:
            return seen
        return (
            ""
            if self.health_check is None or self.health_check()
            else f"{seen}; a request was not answered"
        )

    def ended(self) -> str:
        if not self._states() or self._stopped():
            return ""
        answer = self.health_check() if self.health_check else "it runs"
        return f"none of its processes is in state T; {answer}" if answer else ""

    def _states(self) -> dict[int, str]:
        state = state_of(self.services, self.name)
        pids = process_tree(state.pid) if state is not None else ()
        found = {pid: process_state(pid) for pid in pids}
        return {pid: state for pid, state in found.items() if state not in ("", "Z", "X")}

    def _stopped(self) -> list[int]:
        return [pid for pid, state in self._states().items() if state in _STOPPED]


@dataclass
class FreezeInjector:
    """`docker pause` and `docker unpause`."""

    client: Client
    name: str

    def inject(self) -> None:
        from harness.stack.docker.client import engine_errors

        with engine_errors(self.name):
            self.client.api.pause(self.name)

    def heal(self) -> None:
        from harness.stack.docker.client import engine_errors

        with suppress(StackError), engine_errors(self.name):  # one that is not paused
            self.client.api.unpause(self.name)


@dataclass
class FreezeProbe:
    """Reads from the kernel whether a container's processes are frozen.

    Attributes:
        silent: whether a request must go unanswered too, before the fault counts as in force.
    """

    services: Services
    name: str
    health_check: HealthCheck | None
    silent: bool

    def before(self) -> None:
        if self._is_frozen() is not False:
            raise StackError("does not run before its fault", where=self.name)

    def holds(self) -> str:
        if not self._is_frozen():
            return ""
        seen = "its control group is FROZEN"
        if not self.silent:
            return seen
        return (
            ""
            if self.health_check is None or self.health_check()
            else f"{seen}; a request was not answered"
        )

    def ended(self) -> str:
        if self._is_frozen() is not False:
            return ""
        answer = self.health_check() if self.health_check else "it runs"
        return f"its control group is THAWED; {answer}" if answer else ""

    def _is_frozen(self) -> bool | None:
        state = state_of(self.services, self.name)
        if state is None or not state.alive or not state.pid:
            return None
        return is_frozen(state.pid)
