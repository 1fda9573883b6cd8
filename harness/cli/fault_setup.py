"""The faults of a scenario, backups among them, as a feature of its run."""

from __future__ import annotations

from dataclasses import replace

from harness.cli.stack_choice import fault_factory_of
from harness.clock import Clock
from harness.contract.names import Contract
from harness.evidence.run_documents import CHAIN_HEADS_FILE
from harness.evidence.run_folder import RunFolder
from harness.faults.backup.backups import Backups
from harness.faults.factory import AgentTargets
from harness.faults.runner import FaultRunner
from harness.run.parts import Feature, SwarmPart
from harness.scenario import Scenario
from harness.stack.base import Endpoints, Stack


def faults_of(
    scenario: Scenario, contract: Contract, stack: Stack, folder: RunFolder, clock: Clock
) -> tuple[Feature, ...]:
    """The faults of a scenario; empty where it has none."""
    if not scenario.fault:
        return ()
    backups = None
    evidence = [folder.faults.name]
    if any(fault.kind == "backup" for fault in scenario.fault):
        backups = Backups(folder.backup, folder.logs / "restore.log", contract.observer_role, clock)
        evidence.append(folder.backup.name)
    if scenario.has_feed_stall:
        evidence.append(CHAIN_HEADS_FILE)

    def make(endpoints: Endpoints, swarm: SwarmPart) -> FaultRunner:
        agents = AgentTargets(
            swarm.pids,
            contract.key(contract.streams.chain_events or ""),
            frozenset(map(contract.agent_group, range(scenario.load.agents_max))),
        )
        factory = fault_factory_of(stack, endpoints, agents, backups)
        return FaultRunner(scenario.planned_faults(), factory, folder.faults, clock)

    feature = Feature(make, "fault_planned", "faults_untold", tuple(evidence))
    if backups is not None:
        feature = replace(feature, verify=backups.verify_restores, close=backups.close)
    return (feature,)
