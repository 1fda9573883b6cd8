"""An agent that floods Redis with commands, and how the flood is seen by Redis itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from harness.errors import StackError
from harness.faults.docker.redis_abuse import (
    Wait,
    abuse_ended,
    clean_up,
    flood_key,
    program,
    redis_session,
)
from harness.faults.docker.resource_hog import Execute, Pid, kill_hogs
from harness.scenario.fault import RedisFlood

# Addresses of a container, as Redis sees them.
Addresses = Callable[[], frozenset[str]]

_LOOK_S = 0.3
# A quarter of what was asked for is a flood, since others want the cores too; of one that takes
# what it gets, what no agent sends otherwise. And as much again as the server did before.
_FORCE = 0.25
_FORCE_MIN_PER_S = 1_000.0


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
        words = (str(fault.processes), str(fault.commands_per_s), flood_key(fault.target))
        self.execute(program("flood", fault.for_s, *words))

    def heal(self) -> None:
        kill_hogs(self.pid)
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
    _lines: int = field(default=0, init=False)

    def before(self) -> None:
        with redis_session(self.url) as client:
            if client.exists(flood_key(self.fault.target)):
                raise StackError("has the key of a flood already", where="redis")
            self._lines = self._connected(client)
            self._per_s = self._served_per_s(client)

    def holds(self) -> str:
        try:
            with redis_session(self.url) as client:
                more = self._connected(client) - self._lines
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
        """Over a look, by the server's own clock and count."""
        begin, begin_s = _served(client)
        self.wait(_LOOK_S)
        end, end_s = _served(client)
        return (end - begin) / max(end_s - begin_s, 1e-3)


def _served(client: redis.Redis) -> tuple[int, float]:
    now: Any = client.time()
    stats: Any = client.info("stats")
    return int(stats["total_commands_processed"]), int(now[0]) + int(now[1]) / 1e6
