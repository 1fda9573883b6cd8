"""`feed_stall` and `rpc_stale`: agents, or an RPC node, that process no further block."""

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
# At any poll one block may be on its way to an agent.
_MISSED_MIN = 2
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
    """One of several RPC nodes; the scenario sets their number, not the stack."""

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
    """The agents process no further block for `for_s`, while the chain's head goes on."""

    targets: ClassVar[TargetRule] = SwarmTarget()
    stalls_feed: ClassVar[bool] = True
    evidence: ClassVar[frozenset[str]] = frozenset({"final-heads.bin"})

    kind: Literal["feed_stall"]
    target: Name = AGENTS
    for_s: Length


@fault("rpc_stale")
class RpcStale(_BlocksMissed):
    """An RPC node answers, and processes no further block for `for_s`."""

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
    """Signals processes to process no further block, and to go on.

    Attributes:
        pids: the processes by name.
    """

    pids: Pids
    _stalled: dict[int, int] = field(default_factory=dict, init=False)

    def inject(self) -> None:
        found = self.pids()
        if not found:
            raise StackError("there is no process to stall", where="fault")
        for name, pid in found.items():
            ticks = start_ticks(pid)
            send_feed_signal(pid, STALL_FEED, name)
            self._stalled[pid] = ticks

    def heal(self) -> None:
        for pid, ticks in self._stalled.items():
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
        missed = self._missed_blocks()
        if not missed:
            raise StackError("has no group of an agent on the chain events", where="redis")
        if min(missed) >= _MISSED_MIN:
            raise StackError("are stale before their fault", where=AGENTS)

    def holds(self) -> str:
        missed = self._missed_blocks()
        if not missed or min(missed) < _MISSED_MIN:
            return ""
        return (
            f"Redis holds the newest {min(missed)} blocks, which none of {len(missed)} groups of"
            " agents has received"
        )

    def ended(self) -> str:
        missed = self._missed_blocks()
        if missed is None or any(missed):
            return ""
        if not missed:  # the load was ended
            return "no group of an agent is left on the chain events"
        return f"each of {len(missed)} groups of agents has received the newest block"

    def _missed_blocks(self) -> list[int] | None:
        """How many blocks each group has not been delivered; None if Redis does not answer."""
        try:
            with redis_session(self.url, key=self.key) as client:
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
    """Sees by its own answers that an RPC node lags the others.

    Attributes:
        urls: all nodes.
        name: the one concerned.
        failover_evidence: what shows that the chain adapter asks another one; empty while it asks
            this one.
    """

    urls: Mapping[str, str]
    name: str
    failover_evidence: Callable[[], str]

    def before(self) -> None:
        if other := self.failover_evidence():
            raise StackError(f"is not asked before its fault: {other}", where=self.name)
        if self._lag() != 0:
            raise StackError("does not answer, or lags before its fault", where=self.name)

    def holds(self) -> str:
        lag = self._lag()
        if not lag:
            return ""
        blocks = "1 block" if lag == 1 else f"{lag} blocks"
        return f"it answers, and lags another node by {blocks}"

    def ended(self) -> str:
        return "it reports the newest block again" if self._lag() == 0 else ""

    def _lag(self) -> int | None:
        """Blocks that another node is ahead; None if one of them does not answer."""
        # The others first: a node that keeps up has their blocks by then.
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
    health = read_health(health_url).removeprefix("ok: ")
    active = health.removesuffix(_ACTIVE)
    if active in ("", health, name.removeprefix(_OWN_PREFIX)):
        return ""
    return f"the chain adapter reports that {active} is active"
