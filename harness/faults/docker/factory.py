"""Faults of a stack of containers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import StackError
from harness.faults.docker.container_inspection import is_frozen
from harness.faults.docker.container_limits import KINDS, ContainerLimitFaults
from harness.faults.docker.container_network import addresses_of
from harness.faults.docker.group_leak import LeakInjector, LeakProbe
from harness.faults.docker.link_injector import LinkInjector, link_settings_of
from harness.faults.docker.link_path import LinkPath
from harness.faults.docker.link_probes import probe_of
from harness.faults.docker.partition import PartitionInjector, PartitionProbe
from harness.faults.docker.pool_exit import PoolExitProbe
from harness.faults.docker.redis_flood import FloodInjector, FloodProbe
from harness.faults.docker.resource_hog import container_pid
from harness.faults.health_checks import HealthCheck, health_checks
from harness.faults.instance import FaultInstance, Services, state_of
from harness.faults.process_kill import ProcessSignalInjector, RestartProbe
from harness.faults.server_commands import make_command_fault
from harness.faults.support import (
    AGENT_FAULT_KINDS,
    AGENT_PREFIX,
    SUPPORTED_EVERYWHERE,
    FaultSupport,
)
from harness.scenario.fault import Fault, GroupLeak, RedisFlood
from harness.scenario.link_faults import LINK_KINDS, LinkFault
from harness.stack.base import Endpoints
from harness.stack.docker.client import Client, connect, engine_errors
from harness.stack.docker.disks import disk_targets, folder_in, own_disk
from harness.stack.docker.settings import ENGINE

# The name that it has on the process stack, so that a scenario fits both.
_SHORT = "engine"
_RESTART_MAX_S = 10

DOCKER_FAULT_SUPPORT = FaultSupport(
    "docker",
    SUPPORTED_EVERYWHERE | AGENT_FAULT_KINDS | LINK_KINDS | KINDS,
    frozenset(
        {
            *(_SHORT, ENGINE, "redis", "postgres", "anvil", "data-processor", "chain-adapter"),
            *("mev-router", "archiver"),
        }
    ),
    "docs/scenarios.md has the kinds and their targets",
    disks=frozenset({_SHORT, ENGINE, "redis", "postgres"}),
    unsupported_reasons={"clock_step": "containers share this host's wall clock"},
    aliases={ENGINE: _SHORT},
)


class DockerFaultFactory:
    """Makes faults ready by the engine, the kernel and the servers' own commands.

    Args:
        token: the run's mark, which is in the name of every container.
        services: the services as they are now.
        endpoints: where they are reached.
    """

    def __init__(self, token: str, services: Services, endpoints: Endpoints) -> None:
        self._token = token
        self._services = services
        self._endpoints = endpoints
        self._asks = health_checks(endpoints)
        self._queues = itertools.count(1)
        # Of its own: the others are used by threads of their own.
        self._client: Client = connect()

    def create(self, fault: Fault) -> FaultInstance:
        if (chore := make_command_fault(fault, self._endpoints)) is not None:
            return chore
        service = _full(fault.target)
        name, ask = self._name(service), self._asks.get(service)
        if isinstance(fault, LinkFault):
            return self._between(fault, service)
        if isinstance(fault, RedisFlood | GroupLeak):
            return self._misdeed(fault, name)
        if (inner := self._within(name, ask).create(fault)) is not None:
            return inner
        match fault.kind:
            case "kill":
                # To the process and not through the engine, which would suspend the policy.
                ends = RestartProbe(self._services, service, ask)
                probe = (
                    PoolExitProbe(ends, self._inspect, name)
                    if service.startswith(AGENT_PREFIX)
                    else ends
                )
                return FaultInstance(ProcessSignalInjector(self._services, service), probe)
            case "restart":
                restart = RestartInjector(self._client, name)
                return FaultInstance(restart, RestartProbe(self._services, service, ask))
            case _:
                silent = fault.kind == "rpc_stall"
                return FaultInstance(
                    FreezeInjector(self._client, name),
                    FreezeProbe(self._services, service, ask, silent),
                )

    def _between(self, fault: LinkFault, service: str) -> FaultInstance:
        peer = _full(fault.peer)
        ends = self._name(service), self._name(peer)
        path = LinkPath(self._inspect, *ends, service, peer)
        mark = f"signal-harness-{self._token}"
        where = (self._inspect, *ends, fault.direction, mark)
        if (probe := probe_of(fault, path.ping, path.connect)) is None:
            return FaultInstance(PartitionInjector(*where), PartitionProbe(path))
        return FaultInstance(
            LinkInjector(*where, next(self._queues), link_settings_of(fault)), probe
        )

    def _misdeed(self, fault: RedisFlood | GroupLeak, name: str) -> FaultInstance:
        url = self._endpoints.redis_url.get_secret_value()

        def execute(argv: list[str]) -> None:
            self._execute(name, argv)

        def pid() -> int:
            return self._pid(name)

        if isinstance(fault, GroupLeak):
            return FaultInstance(LeakInjector(execute, pid, url, fault), LeakProbe(pid, url, fault))
        return FaultInstance(
            FloodInjector(execute, pid, url, fault),
            FloodProbe(lambda: addresses_of(self._inspect(name)), pid, url, fault),
        )

    def _within(self, name: str, ask: HealthCheck | None) -> ContainerLimitFaults:
        return ContainerLimitFaults(
            execute=lambda argv: self._execute(name, argv),
            pid=lambda: self._pid(name),
            folder=lambda: self._own_folder(name),
            health_check=ask,
        )

    def _name(self, service: str) -> str:
        return f"harness-{self._token}-{service}"

    def _inspect(self, name: str) -> dict[str, Any]:
        with engine_errors(name):
            document: dict[str, Any] = self._client.api.inspect_container(name)
        return document

    def _pid(self, name: str) -> int:
        return int(self._inspect(name)["State"]["Pid"])

    def _own_folder(self, name: str) -> Path:
        document = self._inspect(name)
        target = own_disk(document, self._options)
        return folder_in(container_pid(lambda: int(document["State"]["Pid"])), target)

    def _options(self, volume: str) -> dict[str, str]:
        with engine_errors(volume):
            return dict(self._client.api.inspect_volume(volume)["Options"] or {})

    def _execute(self, name: str, argv: list[str]) -> None:
        with engine_errors(name):
            job = self._client.api.exec_create(name, argv)
            self._client.api.exec_start(job["Id"], detach=True)


def own_disks(faults: Iterable[Fault]) -> frozenset[str]:
    """The services of the Compose file whose disk a scenario harms."""
    return frozenset(_full(name) for name in disk_targets(faults))


def _full(service: str) -> str:
    return ENGINE if service == _SHORT else service


@dataclass
class RestartInjector:
    """`docker restart`: the image's stop signal, ten seconds at most, and a new start."""

    client: Client
    name: str

    def inject(self) -> None:
        with engine_errors(self.name):
            self.client.api.restart(self.name, timeout=_RESTART_MAX_S)

    def heal(self) -> None:
        """The engine has started it again before `inject` returned."""


@dataclass
class FreezeInjector:
    """`docker pause` and `docker unpause`."""

    client: Client
    name: str

    def inject(self) -> None:
        with engine_errors(self.name):
            self.client.api.pause(self.name)

    def heal(self) -> None:
        with suppress(StackError), engine_errors(self.name):  # one that is not paused
            self.client.api.unpause(self.name)


@dataclass
class FreezeProbe:
    """Reads from the kernel whether a container's processes are frozen.

    Attributes:
        silent: whether a request must go unanswered too, before the fault counts as in force.
    """

    services: Services
    name: str
    health_check: HealthCheck | None
    silent: bool

    def before(self) -> None:
        if self._is_frozen() is not False:
            raise StackError("does not run before its fault", where=self.name)

    def holds(self) -> str:
        if not self._is_frozen():
            return ""
        seen = "its control group is FROZEN"
        if not self.silent:
            return seen
        return (
            ""
            if self.health_check is None or self.health_check()
            else f"{seen}; a request was not answered"
        )

    def ended(self) -> str:
        if self._is_frozen() is not False:
            return ""
        answer = self.health_check() if self.health_check else "it runs"
        return f"its control group is THAWED; {answer}" if answer else ""

    def _is_frozen(self) -> bool | None:
        state = state_of(self.services, self.name)
        if state is None or not state.alive or not state.pid:
            return None
        return is_frozen(state.pid)
