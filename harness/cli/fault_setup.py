"""The faults of a scenario as a feature of its run."""

from __future__ import annotations

from harness.cli.stack_choice import fault_factory_of
from harness.clock import Clock
from harness.contract.names import Contract
from harness.evidence.run_folder import RunFolder
from harness.faults.factory import AgentTargets, RunResources
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
    runners: list[FaultRunner] = []

    def make(endpoints: Endpoints, swarm: SwarmPart) -> FaultRunner:
        agents = AgentTargets(
            swarm.pids,
            contract.key(contract.streams.proposals),
            contract.key(contract.streams.chain_events or ""),
            frozenset(map(contract.agent_group, range(scenario.load.agents_max))),
        )
        run = RunResources(folder.path, folder.logs, contract.observer_role, agents, clock)
        factory = fault_factory_of(stack, endpoints, run)
        runner = FaultRunner(scenario.planned_faults(), factory, folder.faults, clock)
        runners.append(runner)
        return runner

    def verify() -> None:
        for runner in runners:
            runner.verify()

    def close() -> None:
        for runner in runners:
            runner.close()

    files = sorted({name for fault in scenario.fault for name in fault.evidence})
    evidence = (folder.faults.name, *files)
    return (Feature(make, "fault_planned", "faults_untold", evidence, verify, close),)
