"""`slot_migration`, `redis_failover`, `slot_unreachable`: faults of a Redis Cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import StackError
from harness.faults.cluster_view import ClusterNode, ClusterView, command
from harness.faults.factory import ProcessFaultFactory
from harness.faults.instance import FaultInstance, Services, injection
from harness.faults.kinds.pause import PauseInjector
from harness.process.proc import is_running, start_ticks
from harness.process.proc import state_of as process_state
from harness.scenario.fault_base import FaultBase, Length, Name, TargetRule
from harness.scenario.fault_registry import FaultSupport, fault
from harness.scenario.fault_targets import OnlyTarget

if TYPE_CHECKING:  # a scenario holds faults
    from harness.scenario.models import Scenario

_KEYS_AT_ONCE = 100
_MIGRATE_MAX_MS = 5_000
_CONTAINERS = {"docker": "the Redis of the Compose file is one server outside of a cluster"}
_STOPPED = frozenset("Tt")


@dataclass(frozen=True, slots=True)
class ClusterTarget(OnlyTarget):
    """Redis, started as a cluster of several nodes.

    Attributes:
        nodes_min: of how many at least.
    """

    nodes_min: int = 3

    def find_problems(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> list[str]:
        # Spelled out: a dataclass with slots is another class than the one that `super()` knows.
        found = OnlyTarget.find_problems(self, fault, scenario, support)
        if (scenario.redis.cluster_nodes or 0) < self.nodes_min:
            found.append(f"{fault.kind} needs a cluster: set redis.cluster_nodes={self.nodes_min}")
        return found

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del services, support  # none is drawn: whether there is a cluster is not known here
        return ()


@fault("slot_migration")
class SlotMigration(FaultBase):
    """The slot of the stream of signals moves to another primary for `for_s`, and back."""

    targets: ClassVar[TargetRule] = ClusterTarget(names=("redis",))
    unsupported_reasons: ClassVar = _CONTAINERS

    kind: Literal["slot_migration"]
    target: Name = "redis"
    for_s: Length


@fault("redis_failover")
class RedisFailover(FaultBase):
    """SIGKILL of the primary that serves the stream of signals; its replica takes over."""

    targets: ClassVar[TargetRule] = ClusterTarget(names=("redis",), nodes_min=6)
    disruptive: ClassVar[bool] = True
    exits_target: ClassVar[bool] = True
    once: ClassVar[str] = "after it another node serves the stream"
    unsupported_reasons: ClassVar = _CONTAINERS

    kind: Literal["redis_failover"]
    target: Name = "redis"


@fault("slot_unreachable")
class SlotUnreachable(FaultBase):
    """The node that serves a stream's slot is frozen for `for_s`; the others serve theirs."""

    targets: ClassVar[TargetRule] = ClusterTarget(names=("redis",))
    disruptive: ClassVar[bool] = True
    unsupported_reasons: ClassVar = _CONTAINERS

    kind: Literal["slot_unreachable"]
    target: Name = "redis"
    for_s: Length
    stream: Literal["proposals", "chain_events"] = "proposals"


@injection(SlotMigration, "process")
def _migrate(fault: SlotMigration, on: ProcessFaultFactory) -> FaultInstance:
    del fault
    key = on.run.agents.proposals_key
    view = ClusterView.of(on.redis_url, key)
    return FaultInstance(MigrationInjector(view), MigrationProbe(view, key))


@injection(RedisFailover, "process")
def _fail_over(fault: RedisFailover, on: ProcessFaultFactory) -> FaultInstance:
    view = ClusterView.of(on.redis_url, on.run.agents.proposals_key)
    return FaultInstance(PrimaryKillInjector(view, on.services, fault.target), FailoverProbe(view))


@injection(SlotUnreachable, "process")
def _freeze_node(fault: SlotUnreachable, on: ProcessFaultFactory) -> FaultInstance:
    agents = on.run.agents
    key = agents.proposals_key if fault.stream == "proposals" else agents.chain_key
    view = ClusterView.of(on.redis_url, key)
    return FaultInstance(NodePauseInjector(view, on.services), UnreachableProbe(view, key))


@dataclass
class MigrationInjector:
    """Moves the slot with all its keys, as `redis-cli --cluster reshard` does.

    Steps: https://redis.io/docs/latest/commands/cluster-setslot/. While keys move, the old primary
    answers ASK for those that it has no more; afterwards it answers MOVED.
    """

    view: ClusterView
    _source: ClusterNode | None = field(default=None, init=False)
    _target: ClusterNode | None = field(default=None, init=False)

    def inject(self) -> None:
        source = self.view.owner()
        others = [one for one in self.view.nodes() if one.slots and one.node_id != source.node_id]
        if not others:
            raise StackError("has no other primary that the slot could move to", where="redis")
        self._source, self._target = source, others[0]
        self._move(source, others[0])

    def heal(self) -> None:
        if self._source is None or self._target is None:
            return
        if self.view.owner().node_id == self._source.node_id:
            # A migration that failed half way is completed first: its owner would not take keys
            # back that have moved.
            self._move(self._source, self._target)
        self._move(self._target, self._source)

    def _move(self, source: ClusterNode, target: ClusterNode) -> None:
        self._set_slot(target, "IMPORTING", source.node_id)
        self._set_slot(source, "MIGRATING", target.node_id)
        self._migrate_keys(source, target)
        # The new owner first: if it were the last, a node could point to one that does not own it.
        others = [
            one
            for one in self.view.nodes()
            if not one.primary_id and one.node_id not in (target.node_id, source.node_id)
        ]
        for node in (target, source, *others):
            self._set_slot(node, "NODE", target.node_id)

    def _migrate_keys(self, source: ClusterNode, target: ClusterNode) -> None:
        host, _, port = target.address.rpartition(":")
        password = self.view.url.partition("://:")[2].partition("@")[0]
        with self.view.session(source.address) as client:
            while keys := command(client, "CLUSTER GETKEYSINSLOT", self.view.slot, _KEYS_AT_ONCE):
                command(
                    client, "MIGRATE", host, port, "", 0, _MIGRATE_MAX_MS,
                    "AUTH", password, "KEYS", *keys,
                )  # fmt: skip

    def _set_slot(self, node: ClusterNode, *words: str) -> None:
        with self.view.session(node.address) as client:
            command(client, "CLUSTER SETSLOT", self.view.slot, *words)


@dataclass
class MigrationProbe:
    """Reads the owner of the slot from a third node, and asks the first owner for the stream."""

    view: ClusterView
    key: str
    _owner: ClusterNode | None = field(default=None, init=False)

    def before(self) -> None:
        self._owner = self.view.owner()

    def holds(self) -> str:
        assert self._owner is not None  # noqa: S101 - before() comes first
        now = self.view.owner(without=self._owner.address)
        refused = self.view.refusal(self._owner.address, self.key)
        if now.node_id == self._owner.node_id or refused != "MOVED":
            return ""
        return (
            f"slot {self.view.slot} is served by {now.address}; {self._owner.address} answers MOVED"
        )

    def ended(self) -> str:
        assert self._owner is not None  # noqa: S101 - before() comes first
        now = self.view.owner(without=self._owner.address)
        if now.node_id != self._owner.node_id or self.view.refusal(now.address, self.key):
            return ""
        return f"slot {self.view.slot} is served by {now.address} again"


@dataclass
class PrimaryKillInjector:
    """Kills the process of the node that serves the slot."""

    view: ClusterView
    services: Services
    name: str

    def inject(self) -> None:
        pid = node_pid(self.view, self.view.owner().address)
        name = service_of(self.services, pid)
        if name != self.name:
            raise StackError(
                f"does not serve slot {self.view.slot}, which {name} serves", where=self.name
            )
        os.kill(pid, signal.SIGKILL)

    def heal(self) -> None:
        """The restart policy acts by itself."""


@dataclass
class FailoverProbe:
    """Sees the replica as the owner of the slot, then the old primary as a replica."""

    view: ClusterView
    _owner: ClusterNode | None = field(default=None, init=False)
    _pid: int = field(default=0, init=False)
    _ticks: int = field(default=0, init=False)

    def before(self) -> None:
        self._owner = self.view.owner()
        nodes = self.view.nodes()
        if not any(one.primary_id == self._owner.node_id and not one.failed for one in nodes):
            raise StackError(f"{self._owner.address} has no replica", where="redis")
        self._pid = node_pid(self.view, self._owner.address)
        self._ticks = start_ticks(self._pid)

    def holds(self) -> str:
        assert self._owner is not None  # noqa: S101 - before() comes first
        if is_running(self._pid, self._ticks):
            return ""
        now = self.view.owner(without=self._owner.address)
        if now.node_id == self._owner.node_id:
            return ""
        return (
            f"process {self._pid} of {self._owner.address} is gone; its replica {now.address}"
            f" serves slot {self.view.slot}"
        )

    def ended(self) -> str:
        assert self._owner is not None  # noqa: S101 - before() comes first
        now = self.view.owner(without=self._owner.address)
        if now.node_id == self._owner.node_id:
            return ""
        try:
            with self.view.session(self._owner.address) as client:
                link = client.info("replication").get("master_link_status")
        except StackError:
            return ""
        return f"{self._owner.address} is a replica of {now.address}" if link == "up" else ""


@dataclass
class NodePauseInjector:
    """SIGSTOP to the process of the node that serves the slot; SIGCONT to heal."""

    view: ClusterView
    services: Services
    _pause: PauseInjector | None = field(default=None, init=False)

    def inject(self) -> None:
        pid = node_pid(self.view, self.view.owner().address)
        self._pause = PauseInjector(self.services, service_of(self.services, pid))
        self._pause.inject()

    def heal(self) -> None:
        if self._pause is not None:
            self._pause.heal()


@dataclass
class UnreachableProbe:
    """Reads the state of the node's process from the kernel, and asks the other primaries."""

    view: ClusterView
    key: str
    _owner: ClusterNode | None = field(default=None, init=False)
    _others: tuple[ClusterNode, ...] = field(default=(), init=False)
    _pid: int = field(default=0, init=False)

    def before(self) -> None:
        self._owner = self.view.owner()
        self._pid = node_pid(self.view, self._owner.address)
        nodes = self.view.nodes()
        self._others = tuple(
            one for one in nodes if one.slots and one.node_id != self._owner.node_id
        )

    def holds(self) -> str:
        assert self._owner is not None  # noqa: S101 - before() comes first
        if process_state(self._pid) not in _STOPPED:
            return ""
        for other in self._others:
            with self.view.session(other.address) as client:
                client.ping()
        return (
            f"{self._owner.address}, which serves slot {self.view.slot}, is stopped;"
            f" {len(self._others)} other primaries answer"
        )

    def ended(self) -> str:
        if process_state(self._pid) in _STOPPED:
            return ""
        with suppress(StackError):
            owner = self.view.owner()
            if not owner.failed and not self.view.refusal(owner.address, self.key):
                return f"{owner.address} serves slot {self.view.slot}"
        return ""


def node_pid(view: ClusterView, address: str) -> int:
    """The process of a node, as it reports it."""
    with view.session(address) as client:
        return int(client.info("server")["process_id"])


def service_of(services: Services, pid: int) -> str:
    """The service with this process.

    Raises:
        StackError: there is none.
    """
    for state in services():
        if state.pid == pid and state.alive:
            return state.name
    raise StackError(f"process {pid} is no service of this stack", where="redis")
