"""What a scenario does to the system on purpose: concrete parts for its faults and its backups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.cli.stack_choice import fault_factory_of
from harness.clock import Clock
from harness.contract.names import Contract
from harness.evidence.run_folder import RunFolder
from harness.faults.backup.backups import BackupFaultFactory, Backups
from harness.faults.chain_feed_stall import AgentFaultFactory, AgentTargets
from harness.faults.instance import FaultFactory
from harness.faults.runner import FaultRunner
from harness.run.parts import SwarmPart
from harness.scenario import Scenario
from harness.stack.base import Endpoints, Stack

MakeFaults = Callable[[Endpoints, Path, SwarmPart], FaultRunner]


def backups_of(
    scenario: Scenario, contract: Contract, folder: RunFolder, clock: Clock
) -> Backups | None:
    """Where the scenario's backups go; None where it has no backup."""
    if not any(fault.kind == "backup" for fault in scenario.fault):
        return None
    return Backups(folder.backup, folder.logs / "restore.log", contract.observer_role, clock)


def faults_of(
    scenario: Scenario, contract: Contract, stack: Stack, backups: Backups | None, clock: Clock
) -> MakeFaults | None:
    """What makes the scenario's faults, once the stack is up; None where it has none."""
    if not scenario.fault:
        return None

    def make(endpoints: Endpoints, path: Path, swarm: SwarmPart) -> FaultRunner:
        crowd = AgentTargets(
            swarm.pids,
            contract.key(contract.streams.chain_events or ""),
            frozenset(map(contract.agent_group, range(scenario.load.agents_max))),
        )
        factory: FaultFactory = AgentFaultFactory(
            fault_factory_of(stack, endpoints), crowd, endpoints
        )
        if backups is not None:
            factory = BackupFaultFactory(factory, backups, endpoints.admin_dsn.get_secret_value())
        return FaultRunner(scenario.planned_faults(), factory, path, clock)

    return make
