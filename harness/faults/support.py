"""Which faults a stack can have, told before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.contract.names import Contract
from harness.contract.production_names import is_production_name
from harness.errors import UsageError
from harness.scenario import Scenario
from harness.scenario.fault import Fault, find_overlapping
from harness.scenario.link_faults import LinkFault
from harness.scenario.service_faults import DISK_KINDS
from harness.stack.process.services import rpc_node_names

# The swarm's processes; nothing of the system under test.
AGENTS = "agents"
_SERVICE = frozenset({"kill", "restart", "pause"})
SUPPORTED_EVERYWHERE = _SERVICE | {
    *("rpc_stall", "feed_stall", "aof_rewrite", "checkpoint", "snapshot", "backup"),
}
_BY_SERVER = {
    "aof_rewrite": "redis",
    "checkpoint": "postgres",
    "snapshot": "postgres",
    "backup": "postgres",
    "rpc_stall": "anvil",
}
_HINT = "docs/scenarios.md has the kinds and their targets"
# What an agent does, within the limits of its container.
AGENT_FAULT_KINDS = frozenset({"redis_flood", "group_leak"})
AGENT_PREFIX = "python-agent-"
# Who tells its own time. A server's clock splits what is measured, and libfaketime fails the short
# sleeps of the engine (clock_nanosleep to a time that has come: EINVAL).
CLOCK_TARGETS = frozenset({"data-processor"})
# Nothing brings it back (it is started on demand), so these would lose the stack.
_NEVER_BACK = frozenset({"kill", "restart"})
_NO_ANVIL = "there is no Anvil: nothing is simulated in full (signals.full_share = 0)"
_STANDSTILLS = frozenset({"feed_stall", "rpc_stale"})
# With one node there is none to turn to.
_NODES_MIN = 2


@dataclass(frozen=True, slots=True)
class FaultSupport:
    """What can be done on one kind of stack.

    Attributes:
        stack: what people call it.
        kinds: faults it can have.
        services: what can be a target.
        hint: what to do for the others.
        disks: services whose data can lie on a file system of its own.
        why_not: why it cannot have a fault, by kind, where that needs words.
        same: the other name of a service that has two.
    """

    stack: str
    kinds: frozenset[str]
    services: frozenset[str]
    hint: str
    disks: frozenset[str] = frozenset()
    unsupported_reasons: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def canonical_name(self, service: str) -> str:
        """The name that a service has in a comparison with others."""
        return self.aliases.get(service, service)


PROCESS_FAULT_SUPPORT = FaultSupport(
    "process",
    SUPPORTED_EVERYWHERE | {"clock_step", "rpc_stale"},
    frozenset({"redis", "postgres", "engine", "data-processor", "anvil"}),
    "child processes have neither a network nor a quota of their own: add --stack docker",
)


def check_faults(
    scenario: Scenario, contract: Contract, stack: str, possible: FaultSupport | None
) -> None:
    """Make sure that every fault of a scenario can and may be injected.

    Args:
        scenario: what is asked.
        contract: whose prefix says what the system is used for.
        stack: kind of stack.
        possible: what it can have; None where the harness did not start it.

    Raises:
        UsageError: names every one that cannot, or may not.
    """
    if not scenario.fault:
        return
    if is_production_name(contract.prefix):
        raise UsageError(
            f"faults are never injected into production, and the prefix is {contract.prefix!r}",
            where="fault",
        )
    if possible is None:
        raise UsageError(
            f"faults are injected only into what the harness started itself, not with --stack"
            f" {stack}",
            where="fault",
            hint="leave out the [[fault]] tables, or choose --stack process",
        )
    problems = [
        f"fault.{place}: {problem}"
        for place, fault in enumerate(scenario.fault)
        for problem in _problems(fault, scenario, possible)
    ]
    problems += _at_once(scenario, possible)
    if problems:
        lines = "\n  - ".join(problems)
        hint = possible.hint if _another_stack_helps(scenario, possible) else _HINT
        raise UsageError(f"cannot be done:\n  - {lines}", where="fault", hint=hint)


def _another_stack_helps(scenario: Scenario, possible: FaultSupport) -> bool:
    return any(
        fault.kind not in possible.kinds or fault.target.startswith(AGENT_PREFIX)
        for fault in scenario.fault
    )


def _at_once(scenario: Scenario, possible: FaultSupport) -> list[str]:
    """Two faults at once on one service that goes by two names; the scenario saw one name each."""
    own = tuple(_by_one_name(fault, possible) for fault in scenario.fault)
    if own == scenario.fault:
        return []
    planned = scenario.model_copy(update={"fault": own}).planned_faults()
    return find_overlapping(planned)


def _by_one_name(fault: Fault, possible: FaultSupport) -> Fault:
    names = {"target": possible.canonical_name(fault.target)}
    if isinstance(fault, LinkFault):
        names["peer"] = possible.canonical_name(fault.peer)
    return fault.model_copy(update=names)


def _agents(fault: Fault) -> str:
    """How to have the agent that a fault is aimed at."""
    number = fault.target.removeprefix(AGENT_PREFIX)
    is_agent = (
        fault.target.startswith(AGENT_PREFIX) and number.isdigit() and not number.startswith("0")
    )
    return f" (agents are asked for with --agent-containers {number})" if is_agent else ""


def _problems(fault: Fault, scenario: Scenario, possible: FaultSupport) -> list[str]:
    found = []
    if fault.kind not in possible.kinds:
        why = possible.unsupported_reasons.get(fault.kind, "")
        found.append(
            f"{fault.kind} is not possible on the {possible.stack} stack{why and f': {why}'}"
        )
    if fault.kind in _STANDSTILLS:
        return found + _standstill_problems(fault, scenario)
    return found + _service_problems(fault, scenario, possible)


def _service_problems(fault: Fault, scenario: Scenario, possible: FaultSupport) -> list[str]:
    found = []
    if fault.target not in possible.services:
        names = ", ".join(sorted(possible.services))
        found.append(f"there is no service {fault.target!r} on it, but {names}{_agents(fault)}")
    elif fault.kind in AGENT_FAULT_KINDS and not fault.target.startswith(AGENT_PREFIX):
        found.append(
            f"{fault.kind} is done by an agent ({AGENT_PREFIX}1, ...), not by {fault.target}"
        )
    elif fault.target == "anvil" and not scenario.needs_anvil:
        found.append(_NO_ANVIL)
    elif fault.target == "anvil" and fault.kind in _NEVER_BACK:
        found.append(f"nothing would start anvil again after a {fault.kind}")
    if isinstance(fault, LinkFault):
        is_itself = possible.canonical_name(fault.peer) == possible.canonical_name(fault.target)
        if is_itself or fault.peer not in possible.services:
            found.append(f"there is no service {fault.peer!r} at the other end of a link to it")
        elif fault.peer == "anvil" and not scenario.needs_anvil:
            found.append(f"{_NO_ANVIL}, so there is no link to it")
    found += _of_targets(fault, possible)
    return found


def _of_targets(fault: Fault, possible: FaultSupport) -> list[str]:
    """What only some services have: a disk of their own, a clock that they tell."""
    if fault.kind in DISK_KINDS & possible.kinds and fault.target not in possible.disks:
        names = ", ".join(sorted(possible.disks))
        return [
            f"{fault.target} has no data volume, and the host's disk is never harmed: {fault.kind}"
            f" is for {names}"
        ]
    if fault.kind == "clock_step" and fault.target not in CLOCK_TARGETS:
        return [f"clock_step is done to {', '.join(sorted(CLOCK_TARGETS))}, not to {fault.target}"]
    server = _BY_SERVER.get(fault.kind)
    if server is not None and fault.target != server:
        return [f"{fault.kind} is done to {server}, not to {fault.target}"]
    return []


def _standstill_problems(fault: Fault, scenario: Scenario) -> list[str]:
    """Faults of those who follow the chain, which are no services of every stack."""
    if fault.kind == "feed_stall":
        wrong = fault.target != AGENTS
        return [f"feed_stall is done to {AGENTS}, not to {fault.target}"] if wrong else []
    nodes = rpc_node_names(scenario.chain.nodes)
    if len(nodes) < _NODES_MIN:
        return [f"rpc_stale needs {_NODES_MIN} RPC nodes: set chain.nodes = {_NODES_MIN}"]
    if fault.target not in nodes:
        return [f"there is no RPC node {fault.target!r}, but {', '.join(nodes)}"]
    return []
