"""A check does not apply where the contract does not name what the check needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.contract.names import Contract
from harness.judge.check import (
    Check,
    CheckContext,
    CheckSpec,
    ContractPart,
    NotApplicable,
)
from harness.judge.verdict import Status


def mark_not_applicable(case: CheckContext, spec: CheckSpec | None, check: Check) -> Check:
    """The check, or NOT_APPLICABLE in its place where the contract lacks what it needs."""
    missing = _missing_part(case.plan.contract, spec)
    if missing is None:
        return check
    return check.not_applicable(
        NotApplicable.CONTRACT, f"the contract names no {missing}", missing=missing.value
    )


def not_applicable_reasons(case: CheckContext, specs: Iterable[CheckSpec]) -> Iterator[str]:
    """The reasons for the grade: each check that the contract excludes."""
    for spec in specs:
        missing = _missing_part(case.plan.contract, spec)
        if missing is not None:
            yield f"check {spec.id} does not apply: the contract names no {missing}"


def with_contract_hint(case: CheckContext, spec: CheckSpec | None, check: Check) -> Check:
    """The check, with the keys of the contract that declare what it found as intended."""
    if spec is None or check.status is not Status.FAIL or case.stack.get("kind") != "attach":
        return check
    hints = [hint for anomaly, hint in spec.contract_hints if case.analysis.finding(anomaly).count]
    return (
        check.model_copy(update={"message": "; ".join([check.message, *hints])}) if hints else check
    )


def _missing_part(contract: Contract, spec: CheckSpec | None) -> ContractPart | None:
    """What a check needs and the contract does not name; None if there is nothing."""
    named = {
        ContractPart.LEDGER: contract.ledger,
        ContractPart.NONCE: contract.tasks.nonce,
        ContractPart.GROUP: contract.streams.engine_group,
        ContractPart.CHAIN: contract.streams.chain_events,
        ContractPart.TIMESTAMP: contract.tasks.updated_at,
    }
    needs = spec.needs if spec is not None else ()
    return next(
        (part for part in needs if isinstance(part, ContractPart) and named[part] is None), None
    )
