"""`redis_flood`: programs in an agent's container that keep Redis busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.errors import StackError
from harness.faults.docker.container_network import addresses_of
from harness.faults.docker.container_program import Execute, Pid, end_programs
from harness.faults.docker.redis_abuse import (
    Wait,
    abuse_ended,
    clean_up,
    flood_key,
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

# Addresses of a container, as Redis sees them.
Addresses = Callable[[], frozenset[str]]

_INTERVAL_S = 0.3
# A quarter of what was asked for is a flood, since others use the cores too; without a rate, more
# than any agent sends otherwise. And as much again as the server did before.
_FORCE = 0.25
_FORCE_MIN_PER_S = 1_000.0


@fault("redis_flood")
class RedisFlood(FaultBase):
    """Programs in an agent's container that write to and read from Redis, for `for_s`.

    Attributes:
        processes: how many, each with a connection.
        commands_per_s: of all together; 0 is as many as the container's limits let through.
    """

    targets: ClassVar[TargetRule] = AgentTarget()
    drawn: ClassVar = "always"

    kind: Literal["redis_flood"]
    processes: Annotated[int, Field(ge=1, le=64)] = 2
    commands_per_s: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    for_s: Length


@injection(RedisFlood, "docker")
def _flood(fault: RedisFlood, on: DockerFaultFactory) -> FaultInstance:
    inside, container = on.inside(fault.target), on.container(fault.target)
    return FaultInstance(
        FloodInjector(inside.execute, inside.pid, on.redis_url, fault),
        FloodProbe(lambda: addresses_of(on.inspect(container)), inside.pid, on.redis_url, fault),
    )


@dataclass
class FloodInjector:
    """Starts programs that write to a stream of their own and read it."""

    execute: Execute
    pid: Pid
    url: str
    fault: RedisFlood
    wait: Wait = time.sleep

    def inject(self) -> None:
        fault = self.fault
        arguments = (str(fault.processes), str(fault.commands_per_s), flood_key(fault.target))
        self.execute(program("flood", fault.for_s, *arguments))

    def heal(self) -> None:
        end_programs(self.pid)
        key = flood_key(self.fault.target)
        clean_up(self.url, lambda client: int(client.unlink(key)), self.wait)


@dataclass
class FloodProbe:
    """Asks Redis who is connected, and how many commands it has served."""

    addresses: Addresses
    pid: Pid
    url: str
    fault: RedisFlood
    wait: Wait = time.sleep
    _per_s: float = field(default=0.0, init=False)
    _connections: int = field(default=0, init=False)

    def before(self) -> None:
        with redis_session(self.url) as client:
            if client.exists(flood_key(self.fault.target)):
                raise StackError("has the key of a flood already", where="redis")
            self._connections = self._connected(client)
            self._per_s = self._served_per_s(client)

    def holds(self) -> str:
        try:
            with redis_session(self.url) as client:
                more = self._connected(client) - self._connections
                per_s = self._served_per_s(client)
        except StackError:
            return ""
        asked = self.fault.commands_per_s
        force = max(asked * _FORCE if asked else _FORCE_MIN_PER_S, self._per_s)
        if more < 1 or per_s - self._per_s < force:
            return ""
        return (
            f"Redis serves {per_s:,.0f} commands/s, {self._per_s:,.0f} before, and has"
            f" {more} more connections from the agent's address"
        )

    def ended(self) -> str:
        try:
            with redis_session(self.url) as client:
                left = client.exists(flood_key(self.fault.target))
        except StackError:
            return ""
        # Connections are not counted here: the agent itself may have come since.
        return (
            "" if left else abuse_ended(self.pid, self.url, "no program and no key of it is left")
        )

    def _connected(self, client: redis.Redis) -> int:
        own = self.addresses()
        lines: Any = client.client_list()
        return sum(str(line["addr"]).rpartition(":")[0] in own for line in lines)

    def _served_per_s(self, client: redis.Redis) -> float:
        """Over an interval, by the server's own clock and count."""
        begin, begin_s = _served(client)
        self.wait(_INTERVAL_S)
        end, end_s = _served(client)
        return (end - begin) / max(end_s - begin_s, 1e-3)


def _served(client: redis.Redis) -> tuple[int, float]:
    now: Any = client.time()
    stats: Any = client.info("stats")
    return int(stats["total_commands_processed"]), int(now[0]) + int(now[1]) / 1e6
