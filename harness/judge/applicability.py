"""What a system does not have cannot be judged, and nobody may take that for a pass in full."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.anomalies import Anomaly
from harness.contract.names import Contract
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.verdict import Verdict


def mark_not_applicable(case: CheckContext, check: Check) -> Check:
    """The check, or in its place the word that it was not made, and why."""
    missing = _missing_for(case.plan.contract, check.name)
    if check.kind is not CheckKind.INTEGRITY or missing is None:
        return check
    return check.not_judged(f"the contract names no {missing}")


def not_applicable_reasons(case: CheckContext) -> Iterator[str]:
    """What was not judged for want of a name, for the grade."""
    contract = case.plan.contract
    for name in _NEEDS:
        missing = _missing_for(contract, name)
        if missing is not None:
            yield f"{name!r} was not judged: the contract names no {missing}"


def with_contract_hint(case: CheckContext, check: Check) -> Check:
    """The check, with the key of the contract that says so if the system is meant to do that."""
    if check.verdict is not Verdict.FAIL or case.stack.get("kind") != "attach":
        return check
    found = case.analysis.finding
    hints = [hint for name, kind, hint in _HINTS if name == check.name and found(kind).count]
    return (
        check.model_copy(update={"message": "; ".join([check.message, *hints])}) if hints else check
    )


# What may look wrong and be meant so: the check, what was found, and what says that it is meant.
_HINTS = (
    (
        "table agrees with what was seen",
        Anomaly.ROW_VANISHED,
        "if final rows are moved or deleted, tasks.archive or tasks.kept of the contract says so",
    ),
    (
        "no effect twice",
        Anomaly.LEDGER_DOUBLED,
        "if a signal may have several entries, ledger.entries = 'many' of the contract says so",
    ),
    (
        "nonces contiguous and unique",
        Anomaly.NONCE_KEPT,
        "some rows have a nonce and are not simulated: if it is taken at intake,"
        " nonces.taken_at = 'intake' of the contract says so",
    ),
)
# What each check of integrity needs of the contract.
_LEDGER = "ledger"
_NONCE = "nonce of a task"
_GROUP = "group of the engine"
_CHAIN = "stream of chain events"
_STAMP = "time stamp of a task"
_NEEDS = {
    "ledger balanced": _LEDGER,
    "ledger books what was asked": _LEDGER,
    "nonces contiguous and unique": _NONCE,
    "signals of an agent keep their order": _NONCE,
    "nothing left in the stream": _GROUP,
    "nothing trimmed unread": _GROUP,
    "stale data refused": _CHAIN,
    "row stamps agree with commits": _STAMP,
}


def _missing_for(contract: Contract, check: str) -> str | None:
    """What the contract would have to name for a check; None if it does."""
    needed = _NEEDS.get(check)
    named = {
        _LEDGER: contract.ledger,
        _NONCE: contract.tasks.nonce,
        _GROUP: contract.streams.engine_group,
        _CHAIN: contract.streams.chain_events,
        _STAMP: contract.tasks.updated_at,
    }
    return needed if needed is not None and named[needed] is None else None
