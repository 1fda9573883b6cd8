"""Makes faults ready on a stack: what injectors and probes of its kinds can use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.faults.health_checks import health_checks
from harness.faults.instance import FaultInstance, HealthCheck, Services, create_registered
from harness.scenario.fault_base import FaultBase
from harness.stack.base import Endpoints

if TYPE_CHECKING:
    from harness.faults.backup.backups import Backups


@dataclass(frozen=True, slots=True)
class AgentTargets:
    """The swarm's agents, for faults that are done to them.

    Attributes:
        pids: the swarm's processes by name.
        chain_key: the stream of chain events.
        groups: the groups that the agents may have on it.
    """

    pids: Callable[[], Mapping[str, int]]
    chain_key: str
    groups: frozenset[str]


class StackFaultFactory:
    """What every kind of stack offers.

    Args:
        services: the services as they are now.
        endpoints: where they are reached.
        agents: the swarm's; None outside of a run.
        backups: of the run; None where it takes none.
    """

    stack: ClassVar[str]

    def __init__(
        self,
        services: Services,
        endpoints: Endpoints,
        agents: AgentTargets | None = None,
        backups: Backups | None = None,
    ) -> None:
        self.services = services
        self.endpoints = endpoints
        self.agents = agents
        self.backups = backups
        self._health_checks = health_checks(endpoints)

    def create(self, fault: FaultBase) -> FaultInstance:
        return create_registered(fault, self.stack, self)

    def health_check(self, service: str) -> HealthCheck | None:
        """Asks a service whether it answers; None where it cannot be asked."""
        return self._health_checks.get(service)

    @property
    def redis_url(self) -> str:
        """With its password."""
        return self.endpoints.redis_url.get_secret_value()

    @property
    def admin_conninfo(self) -> str:
        """Of a superuser of PostgreSQL."""
        return self.endpoints.admin_dsn.get_secret_value()


class ProcessFaultFactory(StackFaultFactory):
    """Of child processes: their signals, and the servers' own commands."""

    stack = "process"
