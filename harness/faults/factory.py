"""Makes faults ready on a stack: what injectors and probes of its kinds can use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.clock import Clock
from harness.errors import UsageError
from harness.faults.health_checks import health_checks
from harness.faults.instance import FaultInstance, HealthCheck, Services, create_registered
from harness.scenario.fault_base import FaultBase
from harness.stack.base import Endpoints


@dataclass(frozen=True, slots=True)
class AgentTargets:
    """The swarm's agents.

    Attributes:
        pids: the swarm's processes by name.
        proposals_key: the stream of signals.
        chain_key: the stream of chain events.
        groups: the groups that the agents may have on it.
    """

    pids: Callable[[], Mapping[str, int]]
    proposals_key: str
    chain_key: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class RunResources:
    """What a fault can use of its run, apart from the stack.

    Attributes:
        evidence: the run's folder, for the files that the kind declares.
        logs: the folder for what programs print.
        observer_role: name of the read-only role of PostgreSQL.
        agents: the swarm's.
        clock: the host's clocks.
    """

    evidence: Path
    logs: Path
    observer_role: str
    agents: AgentTargets
    clock: Clock


class StackFaultFactory:
    """What every kind of stack offers.

    Args:
        services: the services as they are now.
        endpoints: where they are reached.
        run: the run; None outside of one.
    """

    stack: ClassVar[str]

    def __init__(
        self,
        services: Services,
        endpoints: Endpoints,
        run: RunResources | None = None,
    ) -> None:
        self.services = services
        self.endpoints = endpoints
        self._run = run
        self._health_checks = health_checks(endpoints)

    def create(self, fault: FaultBase) -> FaultInstance:
        return create_registered(fault, self.stack, self)

    def health_check(self, service: str) -> HealthCheck | None:
        """Asks a service whether it answers; None where it cannot be asked."""
        return self._health_checks.get(service)

    @property
    def run(self) -> RunResources:
        """The run.

        Raises:
            UsageError: there is none.
        """
        if self._run is None:
            raise UsageError("is possible only in a run", where="fault")
        return self._run

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
