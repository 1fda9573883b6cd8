"""Dropping packets between two containers, and seeing from inside that none gets through."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from harness.docker.inside import in_network_of
from harness.errors import StackError

# What an `inspect` of a container tells; asked for anew each time, since a restart changes it.
Inspect = Callable[[str], dict[str, Any]]

_PORTS = {"redis": 6379, "postgres": 5432, "anvil": 8545}
_PORT_VARIABLE = "DEFI_HTTP_PORT="
# Tells how a connection attempt ended, by one word.
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
    print("connected")
except TimeoutError:
    print("timeout")
except OSError as error:
    print(error.strerror)
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a packet filter, in the network namespace of one process."""

    pid: int
    chain: str
    side: str
    address: str
    mark: str

    def words(self, action: str) -> tuple[str, ...]:
        """The command that adds (`-I`) or deletes (`-D`) it."""
        return (
            *("iptables", "--wait", action, self.chain, self.side, self.address),
            *("-m", "comment", "--comment", self.mark, "-j", "DROP"),
        )


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
    _rules: list[Rule] = field(default_factory=list, init=False)

    def inject(self) -> None:
        ends = (self.inspect(self.name), self.inspect(self.peer))
        own, other = (_end(document) for document in ends)
        rules = []
        for network in own.addresses.keys() & other.addresses.keys():
            here, there = own.addresses[network], other.addresses[network]
            if self.direction in ("both", "to_peer"):
                rules += [self._rule(own.pid, "OUTPUT", "-d", there)]
                rules += [self._rule(other.pid, "INPUT", "-s", here)]
            if self.direction in ("both", "from_peer"):
                rules += [self._rule(other.pid, "OUTPUT", "-d", here)]
                rules += [self._rule(own.pid, "INPUT", "-s", there)]
        for rule in rules:
            self._rules.append(rule)
            code, said = in_network_of(rule.pid, *rule.words("-I"))
            if code != 0:
                raise StackError(f"refuses: {said.strip()}", where="iptables")

    def heal(self) -> None:
        for rule in self._rules:
            with suppress(StackError):  # a namespace that is gone took its rules along
                in_network_of(rule.pid, *rule.words("-D"))

    def _rule(self, pid: int, chain: str, side: str, address: str) -> Rule:
        return Rule(pid, chain, side, address, self.mark)


@dataclass
class PartitionProbe:
    """Tries to connect from inside one container to the other, as the services themselves do."""

    inspect: Inspect
    name: str
    peer: str
    service: str
    peer_service: str

    def before(self) -> None:
        if (how := self._try()) != "connected":
            raise StackError(
                f"no connection from {self.service} to {self.peer_service} before the fault: {how}",
                where="partition",
            )

    def holds(self) -> str:
        if self._try() != "timeout":
            return ""
        return f"a connection from inside {self.service} to {self.peer_service} timed out"

    def ended(self) -> str:
        if self._try() != "connected":
            return ""
        return f"{self.service} connects to {self.peer_service}"

    def _try(self) -> str:
        own, other = _end(self.inspect(self.name)), _end(self.inspect(self.peer))
        shared = own.addresses.keys() & other.addresses.keys()
        if not own.pid or not other.pid or not shared:
            return "one of them does not run"
        port = _PORTS.get(self.peer_service) or other.http_port
        if not port:
            return "nobody knows its port"
        address = other.addresses[min(shared)]
        # The host's own interpreter: a service's image need not have one.
        argv = (sys.executable, "-I", "-S", "-c", _CONNECT, address, str(port))
        _, said = in_network_of(own.pid, *argv)
        return said.strip()


@dataclass(frozen=True, slots=True)
class _End:
    pid: int
    addresses: dict[str, str]
    http_port: int


def addresses(document: dict[str, Any]) -> frozenset[str]:
    """A container's addresses in all of its networks, by what the engine tells of it."""
    return frozenset(_end(document).addresses.values())


def _end(document: dict[str, Any]) -> _End:
    networks = document["NetworkSettings"]["Networks"] or {}
    variables = document["Config"]["Env"] or ()
    ports = [one.partition("=")[2] for one in variables if one.startswith(_PORT_VARIABLE)]
    return _End(
        pid=int(document["State"]["Pid"]),
        addresses={
            name: entry["IPAddress"] for name, entry in networks.items() if entry["IPAddress"]
        },
        http_port=int(ports[0]) if ports else 0,
    )
