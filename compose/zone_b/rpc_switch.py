"""Which RPC node to ask: a pure state machine: its inputs are what happened and when.

The nodes stand in order of preference, the primary first. The first usable one is active. A node
falls when it gives no answer in time or when its head lags; it rises again only by answering
several probes in a row, and not before a hold time that doubles with each fall in quick
succession. So a node that answers every second question cannot make the adapter swing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """When a node falls and rises.

    Attributes:
        lag_max: blocks that a node's head may lag behind the best head.
        probes_up: good probes in a row that let a node rise.
        hold_ns: shortest time between a fall and the rise after it.
        hold_max_ns: what the hold time grows to at most; so long a time up resets it.
    """

    lag_max: int = 2
    probes_up: int = 3
    hold_ns: int = 5 * _NS_PER_S
    hold_max_ns: int = 60 * _NS_PER_S


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node.

    Attributes:
        up: whether it may be asked.
        stale: its head lagged when it last answered it, whether or not it answers since.
        good_probes: in a row, since it fell.
        fell_ns: monotonic time of its last fall.
        rose_ns: monotonic time of its last rise.
        hold_ns: hold time of its last fall; 0 before the first.
    """

    up: bool = True
    stale: bool = False
    good_probes: int = 0
    fell_ns: int = 0
    rose_ns: int = 0
    hold_ns: int = 0


@dataclass(frozen=True, slots=True)
class Switch:
    """All nodes, and which of them is active."""

    rules: Rules
    nodes: tuple[NodeState, ...]
    active: int = 0

    @classmethod
    def of(cls, count: int, rules: Rules) -> Switch:
        """Nodes of which nothing is known yet: all may be asked, the primary first."""
        return cls(rules, (NodeState(),) * count)

    @property
    def usable(self) -> bool:
        """Whether any node is up."""
        return any(node.up for node in self.nodes)

    def candidates(self) -> tuple[int, ...]:
        """Nodes to ask, in this order, until one answers.

        While no node is up, those that fell silent are tried all the same; a stale one never is.
        """
        up = [index for index, node in enumerate(self.nodes) if node.up]
        if up:
            return tuple(sorted(up, key=lambda index: (index != self.active, index)))
        return tuple(index for index, node in enumerate(self.nodes) if not node.stale)

    def failed(self, index: int, now_ns: int) -> Switch:
        """A node gave no answer in time."""
        return self._with(_put(self.nodes, index, self._fallen(self.nodes[index], now_ns)))

    def probed(self, heads: Sequence[int | None], now_ns: int) -> Switch:
        """Every node was asked at once; it answered its head, or None if it gave no answer in time.

        Heads of one moment only are compared: an older one would seem to lag.
        """
        best = max((head for head in heads if head is not None), default=0)
        return self._with(
            tuple(
                self._judged(node, head, best, now_ns)
                for node, head in zip(self.nodes, heads, strict=True)
            )
        )

    def _judged(self, node: NodeState, head: int | None, best: int, now_ns: int) -> NodeState:
        if head is None:
            return self._fallen(node, now_ns)
        if best - head > self.rules.lag_max:
            return replace(self._fallen(node, now_ns), stale=True)
        return self._answered(replace(node, stale=False), now_ns)

    def _answered(self, node: NodeState, now_ns: int) -> NodeState:
        if node.up:
            return node
        good = node.good_probes + 1
        if good < self.rules.probes_up or now_ns - node.fell_ns < node.hold_ns:
            return replace(node, good_probes=good)
        return replace(node, up=True, good_probes=0, rose_ns=now_ns)

    def _fallen(self, node: NodeState, now_ns: int) -> NodeState:
        if not node.up:
            return replace(node, good_probes=0)
        calm = node.hold_ns == 0 or now_ns - node.rose_ns >= self.rules.hold_max_ns
        hold = self.rules.hold_ns if calm else min(2 * node.hold_ns, self.rules.hold_max_ns)
        return replace(node, up=False, good_probes=0, fell_ns=now_ns, hold_ns=hold)

    def _with(self, nodes: tuple[NodeState, ...]) -> Switch:
        first = next((index for index, node in enumerate(nodes) if node.up), self.active)
        return replace(self, nodes=nodes, active=first)


def _put(nodes: tuple[NodeState, ...], index: int, node: NodeState) -> tuple[NodeState, ...]:
    return (*nodes[:index], node, *nodes[index + 1 :])
