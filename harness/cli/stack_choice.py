"""Which stack a command works on, and how it is picked from options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cli.options import StackKind
from harness.clock import Clock
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.evidence.experiment_folder import StoredStack
from harness.evidence.run_folder import RunFolder
from harness.faults.docker.factory import DOCKER_FAULT_SUPPORT, DockerFaultFactory, own_disks
from harness.faults.factory import ProcessFaultFactory, RunResources, StackFaultFactory
from harness.faults.support import PROCESS_FAULT_SUPPORT
from harness.gate.node_provider import NodeProvider
from harness.gate.runner import GateFiles, GateRunner
from harness.run.parts import Feature, SwarmPart
from harness.scenario import Scenario
from harness.scenario.fault_registry import FaultSupport
from harness.stack.attach.contract_file import AttachFile, load_attach_file
from harness.stack.attach.production import refuse_production
from harness.stack.attach.stack import AttachStack
from harness.stack.base import Endpoints, Stack
from harness.stack.docker.gate_container import GateContainer
from harness.stack.docker.images import image_variables
from harness.stack.docker.settings import AGENT, DockerSettings
from harness.stack.docker.stack import DockerStack
from harness.stack.private_dir import create_private_dir
from harness.stack.process.anvil import find_anvil
from harness.stack.process.services import need_clocks, need_evm
from harness.stack.process.stack import ProcessStack
from harness.stack.settings import StackSettings
from harness.stack.shared import SharedStack
from harness.stack.startup import StartupSink, ignore_event

__all__ = ["StackChoice", "StackKind"]


@dataclass(frozen=True, slots=True)
class StackChoice:
    """The options that choose the stack.

    Attributes:
        image_set: set in `compose/images/sets.toml`; containers only.
        images: `ROLE=IMAGE` overrides; containers only.
        agents: agent containers in addition to the swarm; containers only.
        ports: fixed ports by service.
        contract_file: what a system that already runs is called and where it is; attach only.
        accept_production: the sentence that accepts production; attach only.
        free_agents: whether agent containers have no limits; containers only.
        shared: the stack of all runs, where they share one; None for one of each run's own.
    """

    kind: StackKind
    image_set: str
    images: Sequence[str]
    agents: int
    ports: Mapping[str, int]
    contract_file: Path | None = None
    accept_production: str | None = None
    free_agents: bool = False
    shared: SharedStack | None = None

    @classmethod
    def of(cls, stored: StoredStack, accept_production: str | None = None) -> StackChoice:
        """The choice that an experiment was begun with."""
        return cls(
            StackKind(stored.kind),
            stored.image_set,
            stored.images,
            stored.agents,
            {},
            Path(stored.contract) if stored.contract else None,
            accept_production,
        )

    def stored(self) -> StoredStack:
        """The choice, for an experiment that is continued later; no secret is in it."""
        return StoredStack(
            kind=self.kind.value,
            image_set=self.image_set,
            images=tuple(self.images),
            agents=self.agents,
            contract=str(self.contract_file.absolute()) if self.contract_file else None,
        )

    def attached(self) -> AttachFile | None:
        """The contract of the system that already runs; None for one that is started.

        Raises:
            UsageError: an option does not fit the kind of stack, the file is wrong, or it is
                production.
        """
        if self.kind is not StackKind.ATTACH:
            if self.contract_file is not None or self.accept_production is not None:
                raise UsageError(
                    "--contract and --accept-production are options of a system that already runs",
                    hint="add --stack attach",
                )
            return None
        if self.contract_file is None:
            raise UsageError(
                "--stack attach needs a contract file",
                hint="add --contract FILE; docs/attach.md describes it",
            )
        if self.images or self.agents or self.ports:
            raise UsageError("a system that already runs has its own images, agents and ports")
        file = load_attach_file(self.contract_file)
        refuse_production(file, self.accept_production)
        return file

    def check(self, scenario: Scenario, contract: Contract, root: Path) -> None:
        """Whether such a stack can be made, before anything of a run is there.

        Raises:
            UsageError: an option does not fit the kind of stack, a defect does not exist, a
                program is missing, or a variable that holds a login is not set.
        """
        if (attached := self.attached()) is not None:
            _check_attached(scenario)
            attached.redis.secret_url(os.environ)
            attached.postgres.secret_conninfo(os.environ)
            return
        settings = StackSettings.of(scenario, contract, self.ports, root)
        _check_cluster(settings.redis_cluster_nodes, self.kind)
        if self.kind is StackKind.PROCESS:
            if self.images or self.agents or self.free_agents:
                raise UsageError(
                    "--image, --agent-containers and --free-agents need containers",
                    hint="add --stack docker",
                )
            if settings.quotas:
                raise UsageError(
                    "child processes have no quotas",
                    where=f"quota.{next(iter(scenario.quota))}",
                    hint="add --stack docker",
                )
            need_clocks(settings)
            if scenario.signals.full_share < 1:
                need_evm()
            if settings.anvil or settings.gate:
                find_anvil(root)
            return
        if settings.defects:
            raise UsageError(
                "defects are switched on in child processes only",
                where="engine.defects",
                hint="leave out --stack docker",
            )
        if self.free_agents and not self.agent_count(scenario):
            raise UsageError(
                "--free-agents takes the limits of agents away, and there are none",
                hint="add --agent-containers 1",
            )
        self.docker_settings(settings, root)

    def agent_count(self, scenario: Scenario) -> int:
        """Agents at the start; the option wins over the scenario."""
        return self.agents or scenario.agent_containers.agents

    def make(
        self,
        scenario: Scenario,
        contract: Contract,
        root: Path,
        folder: RunFolder,
        clock: Clock,
        on_event: StartupSink = ignore_event,
    ) -> Stack:
        """The stack, not yet started; `on_event` receives the events of its start.

        Raises:
            UsageError: as `check`.
        """
        self.check(scenario, contract, root)
        if self.shared is not None:
            self.shared.on_event = on_event
            return self.shared
        return self.build(scenario, contract, root, (folder.logs, folder.defects), clock, on_event)

    def build(
        self,
        scenario: Scenario,
        contract: Contract,
        root: Path,
        logs_and_defects: tuple[Path, Path],
        clock: Clock,
        on_event: StartupSink = ignore_event,
    ) -> Stack:
        """A stack for what was checked.

        Args:
            scenario: says what is started.
            contract: its names.
            root: folder that holds `compose/`.
            logs_and_defects: folder of its logs, and file of what its defects did.
            clock: time of its start.
            on_event: receives the events of its start.
        """
        logs, defects = logs_and_defects
        if (attached := self.attached()) is not None:
            return AttachStack(attached, os.environ, clock, scenario)
        settings = StackSettings.of(scenario, contract, self.ports, root, defects)
        if self.kind is StackKind.PROCESS:
            return ProcessStack(settings, create_private_dir(), logs, clock, on_event)
        docker = replace(
            self.docker_settings(settings, root),
            agents=self.agent_count(scenario),
            own_disks=own_disks(scenario.fault),
            variables=settings.agent_variables,
        )
        return DockerStack(docker, logs, clock, on_event)

    def need_agents(self, scenario: Scenario) -> None:
        """Make sure that there are as many agent containers as the scenario needs.

        Raises:
            UsageError: there are fewer, or none because there are no containers.
        """
        wanted = scenario.agent_containers.at_least
        found = self.agent_count(scenario)
        if found < wanted:
            stack = "" if self.kind is StackKind.DOCKER else "--stack docker "
            raise UsageError(
                f"the scenario is about {wanted} agent containers or more, and there are {found}",
                where="agent_containers.at_least",
                hint=f"add {stack}--agent-containers {wanted}",
            )

    def possible_faults(self, scenario: Scenario) -> FaultSupport | None:
        """What can be done to the stack; None for one that the harness does not start."""
        if self.kind is StackKind.DOCKER:
            agents = {f"{AGENT}-{number}" for number in range(1, self.agent_count(scenario) + 1)}
            return replace(DOCKER_FAULT_SUPPORT, services=DOCKER_FAULT_SUPPORT.services | agents)
        return PROCESS_FAULT_SUPPORT if self.kind is StackKind.PROCESS else None

    def docker_settings(self, settings: StackSettings, root: Path) -> DockerSettings:
        """Settings of a stack of containers."""
        folder = root / "compose" / "images"
        return DockerSettings(
            stack=settings,
            image_set=self.image_set,
            images=image_variables(folder, self.image_set, self.images),
            agents=self.agents,
            free_agents=self.free_agents,
        )


def _check_attached(scenario: Scenario) -> None:
    """Nothing is asked of a system that already runs which only one that is started can have."""
    if scenario.agent_containers.agents or scenario.agent_containers.steps:
        raise UsageError(
            "agents are started and scaled with a stack that is started",
            where="agent_containers",
            hint="leave out agent_containers.agents and steps, or --stack attach",
        )
    if scenario.engine.defects:
        raise UsageError(
            "defects are those of the reference engine; this one runs already",
            where="engine.defects",
            hint="leave out --defect and engine.defects, or --stack attach",
        )
    if scenario.engine.service is not None:
        raise UsageError(
            "a service rate is that of the reference engine; this one runs already",
            where="engine.service",
            hint="leave out engine.service and engine.service_rate, or --stack attach",
        )
    if scenario.gate is not None:
        raise UsageError(
            "a gate's rounds are decided by the reference decision service, on a stack"
            " that is started",
            where="gate",
            hint="leave out [gate], or --stack attach",
        )
    if scenario.system_changes:
        raise UsageError(
            "a system that already runs has its own quotas and settings",
            where=scenario.system_changes[0],
            hint="leave out [quota] and [postgres], or --stack attach",
        )


def fault_factory_of(stack: Stack, endpoints: Endpoints, run: RunResources) -> StackFaultFactory:
    """What makes faults ready on a stack that was started."""
    if isinstance(stack, DockerStack):
        return DockerFaultFactory(stack.token, stack.services, endpoints, run)
    return ProcessFaultFactory(stack.services, endpoints, run)


def gate_of(
    scenario: Scenario, stack: Stack, folder: RunFolder, root: Path, clock: Clock
) -> tuple[Feature, ...]:
    """The gate of a scenario as a feature of its run; empty without one."""
    gate = scenario.gate
    if gate is None:
        return ()

    def make(endpoints: Endpoints, swarm: SwarmPart) -> GateRunner:
        del endpoints, swarm
        files = GateFiles(folder.gate, folder.logs, root)
        provider = _gate_node_of(stack)
        return GateRunner(gate, scenario.gate_start_ns, scenario.seed, provider, files, clock)

    return (Feature(make, "gate_told", "gate_untold", (folder.gate.name,)),)


def _gate_node_of(stack: Stack) -> NodeProvider:
    if isinstance(stack, DockerStack):
        return GateContainer(stack)
    if isinstance(stack, ProcessStack):
        return stack.gate_node()
    raise UsageError("this stack has no node for a gate", where="gate")


def _check_cluster(nodes: int, kind: StackKind) -> None:
    if nodes and kind is StackKind.DOCKER:
        raise UsageError(
            "the Redis of the Compose file is one server outside of a cluster",
            where="redis.cluster_nodes",
            hint="leave out --stack docker",
        )
