"""Makes faults ready on a stack of containers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.faults.docker.container_inspection import container_pid
from harness.faults.docker.container_program import ContainerAccess
from harness.faults.factory import RunResources, StackFaultFactory
from harness.faults.instance import Services
from harness.scenario.fault import Fault
from harness.scenario.fault_registry import FaultSupport
from harness.stack.base import Endpoints
from harness.stack.docker.client import Client, connect, engine_errors
from harness.stack.docker.disks import disk_targets, folder_in, own_disk
from harness.stack.docker.settings import ENGINE

# The name that it has on the process stack, so that a scenario fits both.
_SHORT = "engine"

DOCKER_FAULT_SUPPORT = FaultSupport(
    "docker",
    frozenset(
        {
            *(_SHORT, ENGINE, "redis", "postgres", "anvil", "data-processor", "chain-adapter"),
            *("mev-router", "archiver"),
        }
    ),
    "docs/faults.md has the kinds and their targets",
    disks=frozenset({_SHORT, ENGINE, "redis", "postgres"}),
    aliases={ENGINE: _SHORT},
)


class DockerFaultFactory(StackFaultFactory):
    """Of containers: the engine, the kernel, and the servers' own commands.

    A *service* has the name of the Compose file, a *container* the engine's name for it.

    Args:
        token: the run's mark, which is in the name of every container.
        services: the services as they are now.
        endpoints: where they are reached.
        run: the run; None outside of one.
    """

    stack = "docker"

    def __init__(
        self,
        token: str,
        services: Services,
        endpoints: Endpoints,
        run: RunResources | None = None,
    ) -> None:
        super().__init__(services, endpoints, run)
        self._token = token
        self._queues = itertools.count(1)
        # Of its own: the others are used by threads of their own.
        self.client: Client = connect()

    @property
    def mark(self) -> str:
        """In the comment of each rule of a packet filter."""
        return f"signal-harness-{self._token}"

    def service(self, name: str) -> str:
        """A service by the name that a scenario has for it."""
        return _service(name)

    def container(self, service: str) -> str:
        """The container of a service."""
        return f"harness-{self._token}-{service}"

    def inspect(self, container: str) -> dict[str, Any]:
        """The engine's answer of `GET /containers/{id}/json`.

        Raises:
            StackError: the engine refuses.
        """
        with engine_errors(container):
            document: dict[str, Any] = self.client.api.inspect_container(container)
        return document

    def pid(self, container: str) -> int:
        """Its first process on this host; 0 while it does not run."""
        return int(self.inspect(container)["State"]["Pid"])

    def execute(self, container: str, argv: list[str]) -> None:
        """Start a program inside and leave it running.

        Raises:
            StackError: the engine refuses.
        """
        with engine_errors(container):
            job = self.client.api.exec_create(container, argv)
            self.client.api.exec_start(job["Id"], detach=True)

    def data_folder(self, container: str) -> Path:
        """Its data on its own disk, as this host reaches it.

        Raises:
            StackError: it does not run, or has no such disk.
        """
        document = self.inspect(container)
        target = own_disk(document, self._options)
        return folder_in(container_pid(lambda: int(document["State"]["Pid"])), target)

    def inside(self, target: str) -> ContainerAccess:
        """The container of a target."""
        service = self.service(target)
        container = self.container(service)
        return ContainerAccess(
            execute=lambda argv: self.execute(container, argv),
            pid=lambda: self.pid(container),
            folder=lambda: self.data_folder(container),
            health_check=self.health_check(service),
        )

    def next_queue(self) -> int:
        """A number for a queue of packets that no other fault has."""
        return next(self._queues)

    def _options(self, volume: str) -> dict[str, str]:
        with engine_errors(volume):
            return dict(self.client.api.inspect_volume(volume)["Options"] or {})


def own_disks(faults: Iterable[Fault]) -> frozenset[str]:
    """The services of the Compose file whose disk a scenario harms."""
    return frozenset(_service(name) for name in disk_targets(faults))


def _service(name: str) -> str:
    return ENGINE if name == _SHORT else name
