"""Agents whose view of the chain stands still, and whoever else is told to take in no block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import redis

from harness.contract.server_text import decode_server_text
from harness.errors import StackError
from harness.faults.health_checks import redis_client
from harness.faults.instance import FaultFactory, FaultInstance
from harness.faults.support import AGENTS
from harness.process.feed_stall_signals import RESUME_FEED, STALL_FEED, send_feed_signal
from harness.process.proc import is_running, start_ticks
from harness.scenario.fault import Fault
from harness.stack.base import Endpoints

Pids = Callable[[], Mapping[str, int]]
# One block may be on its way to an agent at any look, and one was when they were told.
_BEHIND_MIN = 2
_COUNTED_MAX = 1_000


@dataclass
class ChainFeedStallInjector:
    """Tells processes to take in no further block, and to go on.

    Attributes:
        pids: the processes by what people call them.
    """

    pids: Pids
    _told: dict[int, int] = field(default_factory=dict, init=False)

    def inject(self) -> None:
        found = self.pids()
        if not found:
            raise StackError("nobody is there to be told to stand still", where="fault")
        for name, pid in found.items():
            ticks = start_ticks(pid)
            send_feed_signal(pid, STALL_FEED, name)
            self._told[pid] = ticks

    def heal(self) -> None:
        for pid, ticks in self._told.items():
            if is_running(pid, ticks):
                with suppress(StackError):  # it has ended in between
                    send_feed_signal(pid, RESUME_FEED, str(pid))


@dataclass
class ChainFeedStallProbe:
    """Sees by Redis which blocks it has delivered to the agents' groups.

    Attributes:
        url: Redis.
        key: the stream of chain events.
        groups: the groups that agents may have.
    """

    url: str
    key: str
    groups: frozenset[str]

    def before(self) -> None:
        behind = self._behind()
        if not behind:
            raise StackError("tells of no group of an agent on the chain events", where="redis")
        if min(behind) >= _BEHIND_MIN:
            raise StackError("lay behind before their fault", where=AGENTS)

    def holds(self) -> str:
        behind = self._behind()
        if not behind or min(behind) < _BEHIND_MIN:
            return ""
        return (
            f"Redis holds the newest {min(behind)} blocks, which none of {len(behind)} groups of"
            " agents has taken"
        )

    def ended(self) -> str:
        behind = self._behind()
        if behind is None or any(behind):
            return ""
        if not behind:  # the load was ended
            return "no group of an agent is left on the chain events"
        return f"each of {len(behind)} groups of agents has taken the newest block"

    def _behind(self) -> list[int] | None:
        """How many blocks each group has not been delivered; None if Redis does not tell."""
        try:
            with redis_client(self.url) as client:
                found: Any = client.xinfo_groups(self.key)
                last = [
                    one["last-delivered-id"]
                    for one in found
                    if decode_server_text(one["name"]) in self.groups
                ]
                counts = {one: self._after(client, one) for one in set(last)}
        except (redis.RedisError, OSError):
            return None
        return [counts[one] for one in last]

    def _after(self, client: redis.Redis, entry: bytes | str) -> int:
        found: Any = client.xrange(self.key, f"({decode_server_text(entry)}", "+", _COUNTED_MAX)
        return len(found)


@dataclass(frozen=True, slots=True)
class AgentTargets:
    """The agents, for faults that are done to them.

    Attributes:
        pids: the swarm's processes by name.
        chain_key: the stream of chain events.
        groups: the groups that they may have on it.
    """

    pids: Pids
    chain_key: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class AgentFaultFactory:
    """Makes faults of the agents ready, and leaves those of the system to its own armory."""

    inner: FaultFactory
    agents: AgentTargets
    endpoints: Endpoints

    def create(self, fault: Fault) -> FaultInstance:
        if fault.kind != "feed_stall":
            return self.inner.create(fault)
        url = self.endpoints.redis_url.get_secret_value()
        return FaultInstance(
            ChainFeedStallInjector(self.agents.pids),
            ChainFeedStallProbe(url, self.agents.chain_key, self.agents.groups),
        )
