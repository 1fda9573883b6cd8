"""The two ends of a link: containers by the networks that they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The engine's document of a container; read again each time, since a restart changes it.
Inspect = Callable[[str], dict[str, Any]]

_PORTS = {"redis": 6379, "postgres": 5432, "anvil": 8545}
_PORT_VARIABLE = "DEFI_HTTP_PORT="


@dataclass(frozen=True, slots=True)
class ContainerNetwork:
    """A container's network.

    Attributes:
        pid: a process in its namespace; 0 when it does not run.
        addresses: by the name of the network.
        http_port: of its Prometheus page; 0 for none.
    """

    pid: int
    addresses: dict[str, str]
    http_port: int

    def port_of(self, service: str) -> int:
        """Where the service listens; 0 if that is not known."""
        return _PORTS.get(service) or self.http_port


def container_network_of(document: dict[str, Any]) -> ContainerNetwork:
    """A container's network, by the engine's document."""
    networks = document["NetworkSettings"]["Networks"] or {}
    variables = document["Config"]["Env"] or ()
    ports = [one.partition("=")[2] for one in variables if one.startswith(_PORT_VARIABLE)]
    return ContainerNetwork(
        pid=int(document["State"]["Pid"]),
        addresses={
            name: entry["IPAddress"] for name, entry in networks.items() if entry["IPAddress"]
        },
        http_port=int(ports[0]) if ports else 0,
    )


def shared_addresses(own: ContainerNetwork, other: ContainerNetwork) -> tuple[tuple[str, str], ...]:
    """Addresses of both on each network that they share."""
    names = sorted(own.addresses.keys() & other.addresses.keys())
    return tuple((own.addresses[name], other.addresses[name]) for name in names)


def addresses_of(document: dict[str, Any]) -> frozenset[str]:
    """A container's addresses in all of its networks, by the engine's document."""
    return frozenset(container_network_of(document).addresses.values())
