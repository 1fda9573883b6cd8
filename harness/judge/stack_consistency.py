"""Whether what `stack.json` says ran is what the rest of the evidence speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract.names import Contract
from harness.judge.check import Check, CheckContext, Problem, validity_check

_OWN = ("process", "docker")


def check_stack(case: CheckContext) -> Check:
    """The kind of the stack decides what is judged, so that no file alone may choose it."""
    hint = "put back stack.json as the run wrote it, from a copy; else run again"
    problems = [Problem(said, hint) for said in _problems(case)]
    good = f"{case.stack.get('kind')}, and nothing speaks against it"
    return validity_check("stack as it was told", problems, good)


def _problems(case: CheckContext) -> Iterator[str]:
    kind = case.stack.get("kind")
    if kind not in (*_OWN, "attach"):
        yield "stack.json is missing or names no kind of stack"
        return
    if kind in _OWN and _names(case.plan.contract) != _names(Contract()):
        yield f"stack.json says {kind}, and the plan's contract is that of a system of one's own"
    if kind == "attach" and case.final.unattributed is not None:
        yield "stack.json says attach, and the final state is that of servers started for the run"
    if kind != "process" and case.scenario.engine.defects:
        yield f"stack.json says {kind}, and defects can be had in child processes only"


def _names(contract: Contract) -> tuple[str, ...]:
    """What tells one system from another, in every version of the harness."""
    streams, tasks = contract.streams, contract.tasks
    return (contract.prefix, streams.proposals, tasks.table, str(contract.seen.way))
