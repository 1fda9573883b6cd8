"""Which stack a command works on, and how it is picked from options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.clock import Clock
from harness.contract.names import Contract
from harness.docker.images import image_variables
from harness.docker.settings import DockerSettings
from harness.docker.stack import DockerStack
from harness.errors import UsageError
from harness.scenario import Scenario
from harness.stack.base import Stack
from harness.stack.private_dir import create_private_dir
from harness.stack.process_stack import ProcessStack
from harness.stack.settings import StackSettings
from harness.store import RunFolder


class StackKind(StrEnum):
    """How the system under test is started."""

    PROCESS = "process"
    DOCKER = "docker"


@dataclass(frozen=True, slots=True)
class StackChoice:
    """What the options say of the stack.

    Attributes:
        image_set: set in `compose/images/sets.toml`; containers only.
        images: `ROLE=IMAGE` overrides; containers only.
        agents: agent containers beside the swarm; containers only.
        ports: fixed ports by service.
    """

    kind: StackKind
    image_set: str
    images: Sequence[str]
    agents: int
    ports: Mapping[str, int]

    def make(
        self, scenario: Scenario, contract: Contract, root: Path, folder: RunFolder, clock: Clock
    ) -> Stack:
        """The stack, not yet started.

        Raises:
            UsageError: an option does not fit the kind of stack.
        """
        settings = StackSettings.of(scenario, contract, self.ports, root, folder.defects)
        if self.kind is StackKind.PROCESS:
            if self.images or self.agents:
                raise UsageError(
                    "--image and --agent-containers need containers", hint="add --stack docker"
                )
            return ProcessStack(settings, create_private_dir(), folder.logs, clock)
        if settings.defects:
            raise UsageError(
                "defects are switched on in child processes only",
                where="engine.defects",
                hint="leave out --stack docker",
            )
        return DockerStack(self.docker_settings(settings, root), folder.logs, clock)

    def docker_settings(self, settings: StackSettings, root: Path) -> DockerSettings:
        """Settings of a stack of containers."""
        folder = root / "compose" / "images"
        return DockerSettings(
            stack=settings,
            image_set=self.image_set,
            images=image_variables(folder, self.image_set, self.images),
            agents=self.agents,
        )
