"""Which services a fault can be aimed at, as pure rules; nothing is started or asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.scenario.fault_base import FaultBase
from harness.scenario.fault_registry import FaultSupport

if TYPE_CHECKING:  # a scenario holds faults, whose kinds hold these rules
    from harness.scenario.models import Scenario

# An agent in a container of its own; `--agent-containers` sets their number.
AGENT_PREFIX = "python-agent-"
_ANVIL = "anvil"
_NO_ANVIL = "there is no Anvil: nothing is simulated in full (signals.full_share = 0)"


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """Any service of the stack.

    Attributes:
        needs_restart: whether something has to start the target again. Nothing does of an Anvil
            node, which is started on demand: such a fault would lose the stack.
    """

    needs_restart: bool = False

    @property
    def needs_agents(self) -> bool:
        return False

    def find_problems(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> list[str]:
        found = [self._find_target_problem(fault, scenario, support)]
        found.append(self.find_mismatch(fault, support))
        return [problem for problem in found if problem]

    def find_mismatch(self, fault: FaultBase, support: FaultSupport) -> str:
        """Why this service cannot have a fault of the kind though others can; empty if it can."""
        del fault, support
        return ""

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del support
        return tuple(name for name in services if name != _ANVIL)

    def _find_target_problem(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> str:
        if fault.target not in support.services:
            names = ", ".join(sorted(support.services))
            hint = _agent_hint(fault.target)
            return f"there is no service {fault.target!r} on it, but {names}{hint}"
        if self.needs_agents and not fault.target.startswith(AGENT_PREFIX):
            return f"{fault.kind} is done by an agent ({AGENT_PREFIX}1, ...), not by {fault.target}"
        if fault.target == _ANVIL and not scenario.needs_anvil:
            return _NO_ANVIL
        if fault.target == _ANVIL and self.needs_restart:
            return f"nothing would start anvil again after a {fault.kind}"
        return ""


@dataclass(frozen=True, slots=True)
class AgentTarget(ServiceTarget):
    """An agent in a container of its own."""

    @property
    def needs_agents(self) -> bool:
        return True

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del support
        return tuple(name for name in services if name.startswith(AGENT_PREFIX))


@dataclass(frozen=True, slots=True)
class OnlyTarget(ServiceTarget):
    """These services and no others.

    Attributes:
        names: of the services.
    """

    names: tuple[str, ...] = ()

    def find_mismatch(self, fault: FaultBase, support: FaultSupport) -> str:
        del support
        if fault.target in self.names:
            return ""
        return f"{fault.kind} is done to {', '.join(self.names)}, not to {fault.target}"

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del support
        return tuple(name for name in self.names if name in services)


@dataclass(frozen=True, slots=True)
class OwnDiskTarget(ServiceTarget):
    """A service whose data can lie on a file system of its own."""

    def find_mismatch(self, fault: FaultBase, support: FaultSupport) -> str:
        if fault.kind not in support.kinds or fault.target in support.disks:
            return ""
        names = ", ".join(sorted(support.disks))
        return (
            f"{fault.target} has no data volume, and the host's disk is never harmed: {fault.kind}"
            f" is for {names}"
        )

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        return tuple(name for name in services if name in support.disks)


@dataclass(frozen=True, slots=True)
class LinkTarget(ServiceTarget):
    """Two services with a link between them; the second one is the fault's `second_target`."""

    def find_problems(
        self, fault: FaultBase, scenario: Scenario, support: FaultSupport
    ) -> list[str]:
        # Spelled out: a dataclass with slots is another class than the one that `super()` knows.
        found = ServiceTarget.find_problems(self, fault, scenario, support)
        peer = fault.second_target
        is_itself = support.canonical_name(peer) == support.canonical_name(fault.target)
        if is_itself or peer not in support.services:
            found.append(f"there is no service {peer!r} at the other end of a link to it")
        elif peer == _ANVIL and not scenario.needs_anvil:
            found.append(f"{_NO_ANVIL}, so there is no link to it")
        return found

    def candidates(self, services: Sequence[str], support: FaultSupport) -> tuple[str, ...]:
        del support  # of the engine, which talks to both servers
        return tuple(name for name in services if "engine" in name)


def _agent_hint(target: str) -> str:
    """How to have the agent that a fault is aimed at; empty for other targets."""
    number = target.removeprefix(AGENT_PREFIX)
    is_agent = target.startswith(AGENT_PREFIX) and number.isdigit() and not number.startswith("0")
    return f" (agents are asked for with --agent-containers {number})" if is_agent else ""
