"""An RPC node that answers and lies behind, and the chain adapter that has to leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import StackError
from harness.faults.chain_feed_stall import ChainFeedStallInjector
from harness.faults.health_checks import block_number, read_health
from harness.faults.instance import FaultInstance, Services, state_of
from harness.scenario.fault import Fault
from harness.stack.base import Endpoints

_ADAPTER = "chain-adapter"
# The chain adapter calls its nodes by their order alone.
_OWN_PREFIX = "rpc-"
_ACTIVE = " is active"


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


def make_stale_node_fault(fault: Fault, services: Services, endpoints: Endpoints) -> FaultInstance:
    """An RPC node that is to lie behind, and the chain adapter that is to leave it."""
    name = fault.target

    def pids() -> dict[str, int]:
        state = state_of(services, name)
        return {name: state.pid} if state is not None and state.alive else {}

    adapter = endpoints.metrics_urls.get(_ADAPTER, "")

    def left() -> str:
        return failover_evidence(adapter, name)

    return FaultInstance(
        ChainFeedStallInjector(pids), StaleNodeProbe(endpoints.rpc_urls, name, left), left
    )
