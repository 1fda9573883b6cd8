"""The scale-out of a scenario as a feature of its run."""

from __future__ import annotations

from harness.clock import Clock
from harness.contract.names import Contract
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.run.parts import Feature, SwarmPart
from harness.scenario import Scenario
from harness.stack.base import Endpoints, Stack
from harness.stack.docker.stack import DockerStack
from harness.stack.process.stack import ProcessStack
from harness.stack.scale_out import ScaleRunner, consumer_reader, signal_reader


def scale_out_of(
    scenario: Scenario, contract: Contract, stack: Stack, folder: RunFolder, clock: Clock
) -> tuple[Feature, ...]:
    """The steps of a scenario; empty where it has none."""
    steps = scenario.agent_containers.steps
    if not steps:
        return ()
    runners: list[ScaleRunner] = []

    def make(endpoints: Endpoints, swarm: SwarmPart) -> ScaleRunner:
        del swarm
        if not isinstance(stack, DockerStack | ProcessStack):
            raise UsageError("this stack has no agents to scale", where="agent_containers.steps")
        runner = ScaleRunner(
            steps,
            scenario.load.measured_stretches_ns()[0][0],
            stack,
            consumer_reader(endpoints, contract),
            signal_reader(endpoints, contract),
            folder.scale_out,
            clock,
        )
        runners.append(runner)
        return runner

    def verify() -> None:
        for runner in runners:
            runner.verify()

    evidence = (folder.scale_out.name,)
    return (Feature(make, "agents_scaled", "scale_out_unrecorded", evidence, verify),)
