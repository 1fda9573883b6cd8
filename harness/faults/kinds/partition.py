"""`partition`: packets between two containers are dropped."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from harness.errors import StackError
from harness.faults.docker.container_inspection import in_network_of
from harness.faults.docker.container_network import Inspect, container_network_of, shared_addresses
from harness.faults.docker.link_path import CONNECTED, TIMEOUT, LinkPath
from harness.faults.instance import FaultInstance, injection
from harness.scenario.fault_base import FaultBase, Length, Name, TargetRule, draw_length
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import LinkTarget

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory

_TRIES = 2
# A probe of a link takes up to two seconds: a shorter fault would not be seen.
_DRAWN_LENGTH_S = (2.0, 4.0)
# Links that a signal crosses.
_DRAWN_PEERS = ("redis", "postgres")
_DRAWN_DIRECTIONS = ("both", "to_peer", "from_peer")


class LinkFault(FaultBase):
    """What is done to packets between two services.

    Attributes:
        peer: the other service.
        direction: `both`, or only packets `to_peer` or `from_peer`.
    """

    targets: ClassVar[TargetRule] = LinkTarget()
    disruptive: ClassVar[bool] = True
    drawn: ClassVar = "always"

    peer: Name
    direction: Literal["both", "to_peer", "from_peer"] = "both"

    @property
    def second_target(self) -> str:
        return self.peer

    @property
    def directions(self) -> int:
        """How many: a fault of both is met twice by a sender that waits for an answer."""
        return 2 if self.direction == "both" else 1

    def renamed(self, rename: Callable[[str], str]) -> Self:
        names = {"target": rename(self.target), "peer": rename(self.peer)}
        return self.model_copy(update=names)

    @classmethod
    def draw(cls, chance: random.Random, room_s: float) -> dict[str, Any]:
        length_s = draw_length(chance, room_s, _DRAWN_LENGTH_S)
        return {
            "for_s": max(length_s, _DRAWN_LENGTH_S[0]),
            "peer": chance.choice(_DRAWN_PEERS),
            "direction": chance.choice(_DRAWN_DIRECTIONS),
        }


@fault("partition")
class Partition(LinkFault):
    """All of them are dropped for `for_s`."""

    kind: Literal["partition"]
    for_s: Length


@injection(Partition, "docker")
def _part(fault: Partition, on: DockerFaultFactory) -> FaultInstance:
    path = link_path(fault, on)
    return FaultInstance(
        PartitionInjector(on.inspect, path.name, path.peer, fault.direction, on.mark),
        PartitionProbe(path),
    )


def link_path(fault: LinkFault, on: DockerFaultFactory) -> LinkPath:
    """The way between the two containers of a fault."""
    service, peer = on.service(fault.target), on.service(fault.peer)
    return LinkPath(on.inspect, on.container(service), on.container(peer), service, peer)


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One rule of a packet filter, in the network namespace of one process."""

    pid: int
    chain: str
    side: str
    address: str
    mark: str
    jump: tuple[str, ...] = ("DROP",)
    table: str = "filter"

    def arguments(self, action: str) -> tuple[str, ...]:
        """The command that adds (`-I`) or deletes (`-D`) it."""
        return (
            *("iptables", "--wait", "-t", self.table, action, self.chain),
            *(self.side, self.address),
            *("-m", "comment", "--comment", self.mark, "-j", *self.jump),
        )

    def add(self) -> None:
        """Put it in front of all others.

        Raises:
            StackError: the packet filter refuses.
        """
        code, output = in_network_of(self.pid, *self.arguments("-I"))
        if code != 0:
            raise StackError(f"refuses: {output.strip()}", where="iptables")

    def delete(self) -> None:
        """Remove it; does nothing where it is gone, or its namespace with it."""
        for _ in range(_TRIES):
            # Another program may hold the packet filter's lock for a moment.
            with suppress(StackError):
                in_network_of(self.pid, *self.arguments("-D"))
                return


@dataclass
class PartitionInjector:
    """Packet filter rules at both ends, so that the restart of one does not end it.

    They lie in the containers' own network namespaces and vanish with them.
    """

    inspect: Inspect
    name: str
    peer: str
    direction: str
    mark: str
    _rules: list[FilterRule] = field(default_factory=list, init=False)

    def inject(self) -> None:
        own, other = (
            container_network_of(self.inspect(self.name)),
            container_network_of(self.inspect(self.peer)),
        )
        rules = []
        for here, there in shared_addresses(own, other):
            if self.direction in ("both", "to_peer"):
                rules += [self._rule(own.pid, "OUTPUT", "-d", there)]
                rules += [self._rule(other.pid, "INPUT", "-s", here)]
            if self.direction in ("both", "from_peer"):
                rules += [self._rule(other.pid, "OUTPUT", "-d", here)]
                rules += [self._rule(own.pid, "INPUT", "-s", there)]
        for rule in rules:
            self._rules.append(rule)
            rule.add()

    def heal(self) -> None:
        for rule in self._rules:
            rule.delete()

    def _rule(self, pid: int, chain: str, side: str, address: str) -> FilterRule:
        return FilterRule(pid, chain, side, address, self.mark)


@dataclass
class PartitionProbe:
    """Tries to connect from inside one container to the other, as the services themselves do."""

    path: LinkPath

    def before(self) -> None:
        if (how := self.path.connect()) != CONNECTED:
            raise StackError(
                f"no connection from {self._ends('to')} before the fault: {how}",
                where="partition",
            )

    def holds(self) -> str:
        if self.path.connect() != TIMEOUT:
            return ""
        return f"a connection from inside {self._ends('to')} timed out"

    def ended(self) -> str:
        if self.path.connect() != CONNECTED:
            return ""
        return self._ends("connects to")

    def _ends(self, between: str) -> str:
        return f"{self.path.service} {between} {self.path.peer_service}"
