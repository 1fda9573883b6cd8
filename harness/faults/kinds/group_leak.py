"""`group_leak`: a program in an agent's container that makes consumer groups and uses none."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.errors import StackError
from harness.faults.docker.container_program import Execute, Pid, end_programs
from harness.faults.docker.redis_abuse import (
    Wait,
    abuse_ended,
    clean_up,
    events_key,
    leaked_groups,
    program,
)
from harness.faults.health_checks import redis_session
from harness.faults.instance import FaultInstance, injection
from harness.scenario.fault_base import FaultBase, Length, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import AgentTarget

if TYPE_CHECKING:  # an engine, a server, and their clients
    import redis

    from harness.faults.docker.factory import DockerFaultFactory

_INTERVAL_S = 0.3


@fault("group_leak")
class GroupLeak(FaultBase):
    """A program in an agent's container that makes consumer groups and uses none, for `for_s`."""

    targets: ClassVar[TargetRule] = AgentTarget()
    drawn: ClassVar = "always"

    kind: Literal["group_leak"]
    groups_per_s: Annotated[int, Field(ge=1, le=1_000)] = 20
    for_s: Length


@injection(GroupLeak, "docker")
def _leak(fault: GroupLeak, on: DockerFaultFactory) -> FaultInstance:
    inside = on.inside(fault.target)
    return FaultInstance(
        LeakInjector(inside.execute, inside.pid, on.redis_url, fault),
        LeakProbe(inside.pid, on.redis_url, fault),
    )


@dataclass
class LeakInjector:
    """Starts a program that makes consumer groups; they are known by their names afterwards."""

    execute: Execute
    pid: Pid
    url: str
    fault: GroupLeak
    wait: Wait = time.sleep

    def inject(self) -> None:
        fault = self.fault
        arguments = (str(fault.groups_per_s), events_key(), leaked_groups(fault.target))
        self.execute(program("leak", fault.for_s, *arguments))

    def heal(self) -> None:
        end_programs(self.pid)
        prefix = leaked_groups(self.fault.target)
        clean_up(self.url, lambda client: _destroy(client, prefix), self.wait)


@dataclass
class LeakProbe:
    """Counts the groups of the stream, whatever their names, and sees their number grow."""

    pid: Pid
    url: str
    fault: GroupLeak
    wait: Wait = time.sleep
    _before: int = field(default=0, init=False)

    def before(self) -> None:
        with redis_session(self.url) as client:
            names = _groups(client)
        if self._leaked(names):
            raise StackError("has leaked groups already", where="redis")
        self._before = len(names)

    def holds(self) -> str:
        try:
            with redis_session(self.url) as client:
                first = len(_groups(client))
                self.wait(_INTERVAL_S + 1 / self.fault.groups_per_s)
                last = len(_groups(client))
        except StackError:
            return ""
        if not self._before <= first < last:
            return ""
        return f"the stream of chain events has {last} groups and ever more, {self._before} before"

    def ended(self) -> str:
        try:
            with redis_session(self.url) as client:
                names = _groups(client)
        except StackError:
            return ""
        if self._leaked(names):
            return ""
        return abuse_ended(
            self.pid, self.url, f"the stream of chain events has {len(names)} groups"
        )

    def _leaked(self, names: list[str]) -> bool:
        prefix = leaked_groups(self.fault.target)
        return any(name.startswith(prefix) for name in names)


def _destroy(client: redis.Redis, prefix: str) -> int:
    names = [name for name in _groups(client) if name.startswith(prefix)]
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.xgroup_destroy(events_key(), name)
        pipe.execute()
    return len(names)


def _groups(client: redis.Redis) -> list[str]:
    if not client.exists(events_key()):
        return []
    found: Any = client.xinfo_groups(events_key())
    return [group["name"].decode("utf-8", "replace") for group in found]
