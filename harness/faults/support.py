"""Which faults a stack can have, reported before anything is started."""

from __future__ import annotations

from harness.contract.names import Contract
from harness.contract.production_names import is_production_name
from harness.errors import UsageError
from harness.scenario import Scenario
from harness.scenario.fault import Fault, find_overlapping
from harness.scenario.fault_registry import FaultSupport
from harness.scenario.fault_targets import AGENT_PREFIX

_HINT = "docs/faults.md has the kinds and their targets"

PROCESS_FAULT_SUPPORT = FaultSupport(
    "process",
    frozenset({"redis", "postgres", "engine", "data-processor", "anvil"}),
    "child processes have neither a network nor a quota of their own: add --stack docker",
)


def check_faults(
    scenario: Scenario, contract: Contract, stack: str, support: FaultSupport | None
) -> None:
    """Make sure that every fault of a scenario can and may be injected.

    Args:
        scenario: with the faults.
        contract: whose prefix says what the system is used for.
        stack: kind of stack.
        support: what it can have; None where the harness did not start it.

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
    if support is None:
        raise UsageError(
            f"faults are injected only into what the harness started itself, not with --stack"
            f" {stack}",
            where="fault",
            hint="leave out the [[fault]] tables, or choose --stack process",
        )
    problems = [
        f"fault.{place}: {problem}"
        for place, fault in enumerate(scenario.fault)
        for problem in _problems(fault, scenario, support)
    ]
    problems += _find_overlapping(scenario, support)
    if problems:
        lines = "\n  - ".join(problems)
        hint = support.hint if _another_stack_helps(scenario, support) else _HINT
        raise UsageError(f"cannot be done:\n  - {lines}", where="fault", hint=hint)


def _problems(fault: Fault, scenario: Scenario, support: FaultSupport) -> list[str]:
    found = []
    if fault.kind not in support.kinds:
        why = fault.unsupported_reasons.get(support.stack, "")
        found.append(
            f"{fault.kind} is not possible on the {support.stack} stack{why and f': {why}'}"
        )
    return found + fault.targets.find_problems(fault, scenario, support)


def _another_stack_helps(scenario: Scenario, support: FaultSupport) -> bool:
    return any(
        fault.kind not in support.kinds or fault.target.startswith(AGENT_PREFIX)
        for fault in scenario.fault
    )


def _find_overlapping(scenario: Scenario, support: FaultSupport) -> list[str]:
    """Two faults at once on one service that has two names; the scenario saw one name each."""
    canonical = tuple(fault.renamed(support.canonical_name) for fault in scenario.fault)
    if canonical == scenario.fault:
        return []
    planned = scenario.model_copy(update={"fault": canonical}).planned_faults()
    return find_overlapping(planned)
