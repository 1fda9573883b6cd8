"""`feed_stall` and `rpc_stale`: agents, or an RPC node, that take in no further block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.clock import NS_PER_S
from harness.contract.server_text import decode_server_text
from harness.errors import StackError
from harness.faults.health_checks import block_number, read_health, redis_session
from harness.faults.instance import FaultInstance, injection, state_of
from harness.process.feed_stall_signals import RESUME_FEED, STALL_FEED, send_feed_signal
from harness.process.proc import is_running, start_ticks
from harness.scenario.fault_base import FaultBase, Length, Name, TargetRule
from harness.scenario.fault_registry import FaultSupport, fault
from harness.scenario.sentinel import BLOCK_PROPAGATION_NS, Sentinel

if TYPE_CHECKING:  # a scenario holds faults; servers and their clients
    import redis

    from harness.faults.factory import StackFaultFactory
    from harness.scenario.models import Scenario

Pids = Callable[[], Mapping[str, int]]
# The swarm's processes; nothing of the system under test.
AGENTS = "agents"
# With one node there is none to turn to.
_NODES_MIN = 2
# One block may be on its way to an agent at any poll, and one was when they were stalled.
_BEHIND_MIN = 2
_COUNTED_MAX = 1_000
_ADAPTER = "chain-adapter"
# The chain adapter calls its nodes by their order alone.
_OWN_PREFIX = "rpc-"
_ACTIVE = " is active"


@dataclass(frozen=True, slots=True)
class SwarmTarget:
    """The agents of the swarm, which are no service of a stack."""

    needs_agents: bool = False

    def find_problems(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> list[str]:
        del scenario, support
        wrong = fault.target != AGENTS
        return [f"{fault.kind} is done to {AGENTS}, not to {fault.target}"] if wrong else []

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del services, support
        return (AGENTS,)


@dataclass(frozen=True, slots=True)
class RpcNodeTarget:
    """One of several RPC nodes; how many there are says the scenario, not the stack."""

    needs_agents: bool = False

    def find_problems(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> list[str]:
        from harness.stack.process.services import rpc_node_names

        del support
        nodes = rpc_node_names(scenario.chain.nodes)
        if len(nodes) < _NODES_MIN:
            return [f"{fault.kind} needs {_NODES_MIN} RPC nodes: set chain.nodes = {_NODES_MIN}"]
        if fault.target not in nodes:
            return [f"there is no RPC node {fault.target!r}, but {', '.join(nodes)}"]
        return []

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del services, support
        return ()


class _BlocksMissed(FaultBase):
    """What both kinds have in common: they have to last until data are stale.

    Neither is drawn at random: each needs a scenario made for it, with a length that follows from
    its blocks, or several nodes.
    """

    checks: ClassVar[str] = "harness.faults.staleness_check"

    def find_misfit(self, sentinel: Sentinel) -> str:
        # What is stale has to be refused when the block has spread, and some signals must be.
        least_ns = sentinel.stale_after_ns + 2 * BLOCK_PROPAGATION_NS
        if self.length_ns >= least_ns:
            return ""
        return (
            f"{self.kind} of {self.length_ns / NS_PER_S:g} s is too short to show anything:"
            f" with blocks of {sentinel.block_ns / NS_PER_S:g} s and a lag of {sentinel.lag_max}"
            f" it takes {least_ns / NS_PER_S:g} s"
        )


@fault("feed_stall")
class FeedStall(_BlocksMissed):
    """The agents take in no further block for `for_s`, while the chain's head goes on."""

    targets: ClassVar[TargetRule] = SwarmTarget()
    stalls_feed: ClassVar[bool] = True
    evidence: ClassVar[frozenset[str]] = frozenset({"final-heads.bin"})

    kind: Literal["feed_stall"]
    target: Name = AGENTS
    for_s: Length


@fault("rpc_stale")
class RpcStale(_BlocksMissed):
    """An RPC node answers, and takes in no further block for `for_s`."""

    targets: ClassVar[TargetRule] = RpcNodeTarget()

    kind: Literal["rpc_stale"]
    target: Name = "rpc-primary"
    for_s: Length


@injection(FeedStall, "process", "docker")
def _stall_feed(fault: FeedStall, on: StackFaultFactory) -> FaultInstance:
    del fault
    agents = on.run.agents
    return FaultInstance(
        ChainFeedStallInjector(agents.pids),
        ChainFeedStallProbe(on.redis_url, agents.chain_key, agents.groups),
    )


@injection(RpcStale, "process")
def _stall_node(fault: RpcStale, on: StackFaultFactory) -> FaultInstance:
    """An RPC node that is to lag, and the chain adapter that is to ask another one."""
    name = fault.target

    def pids() -> dict[str, int]:
        state = state_of(on.services, name)
        return {name: state.pid} if state is not None and state.alive else {}

    adapter = on.endpoints.metrics_urls.get(_ADAPTER, "")

    def answer() -> str:
        return failover_evidence(adapter, name)

    return FaultInstance(
        ChainFeedStallInjector(pids), StaleNodeProbe(on.endpoints.rpc_urls, name, answer), answer
    )


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
            with redis_session(self.url) as client:
                found: Any = client.xinfo_groups(self.key)
                last = [
                    one["last-delivered-id"]
                    for one in found
                    if decode_server_text(one["name"]) in self.groups
                ]
                counts = {one: self._after(client, one) for one in set(last)}
        except StackError:
            return None
        return [counts[one] for one in last]

    def _after(self, client: redis.Redis, entry: bytes | str) -> int:
        found: Any = client.xrange(self.key, f"({decode_server_text(entry)}", "+", _COUNTED_MAX)
        return len(found)


@dataclass
class StaleNodeProbe:
    """Sees by its own answers that an RPC node lies behind the others.

    Attributes:
        urls: all nodes.
        name: the one concerned.
        left: what shows that the chain adapter asks another one; empty while it asks this.
    """

    urls: Mapping[str, str]
    name: str
    failover_evidence: Callable[[], str]

    def before(self) -> None:
        if other := self.failover_evidence():
            raise StackError(f"is not asked before its fault: {other}", where=self.name)
        if self._behind() != 0:
            raise StackError("does not answer, or lay behind before its fault", where=self.name)

    def holds(self) -> str:
        behind = self._behind()
        if not behind:
            return ""
        blocks = "1 block" if behind == 1 else f"{behind} blocks"
        return f"it answers, and lies {blocks} behind another one"

    def ended(self) -> str:
        return "it tells the newest block again" if self._behind() == 0 else ""

    def _behind(self) -> int | None:
        """Blocks that another node is ahead; None if one of them does not answer."""
        # The others first: what they tell, a node that keeps up has by then.
        others = [block_number(url) for name, url in self.urls.items() if name != self.name]
        own = block_number(self.urls[self.name])
        if own is None or None in others or not others:
            return None
        return max(0, max(other for other in others if other is not None) - own)


def failover_evidence(health_url: str, name: str) -> str:
    """What shows that the chain adapter asks another node; empty while it asks this one.

    Args:
        health_url: of the adapter.
        name: of the node.
    """
    words = read_health(health_url).removeprefix("ok: ")
    active = words.removesuffix(_ACTIVE)
    if active in ("", words, name.removeprefix(_OWN_PREFIX)):
        return ""
    return f"the chain adapter says that {active} is active"
