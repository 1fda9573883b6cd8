"""Which parts of the system's final state could be read.

What could not be read is not missing: a signal whose row may exist is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.contract.names import Contract
from harness.errors import EvidenceError
from harness.evidence.atomic_files import read_document
from harness.evidence.run_folder import RunFolder
from harness.evidence.strict_json import MALFORMED

_ALL = "postgres"
_PARTS = ("tasks", "ledger", "bookings", "nonces", "stamps")


@dataclass(frozen=True, slots=True)
class FinalStateCoverage:
    """Result of reading the final state.

    Attributes:
        complete: whether a signal without a known final state has none: the table was read, or the
            observer read every row until its end.
        unread: parts of the final state that were not read, with the reason: `tasks`, `ledger`,
            `bookings`, `nonces`, `stamps`.
        filtered: parts of which row-level security may hide rows from the login, with the table.
        has_read_errors: whether `final.json` lists a part that could not be read.
    """

    complete: bool = True
    unread: Mapping[str, str] = field(default_factory=dict)
    filtered: Mapping[str, str] = field(default_factory=dict)
    has_read_errors: bool = False


def read_coverage(folder: RunFolder, contract: Contract) -> FinalStateCoverage:
    """Which parts of a run's final state were read.

    Args:
        folder: where the evidence lies.
        contract: which parts the system has.

    Raises:
        EvidenceError: `final.json` or `observer.json` cannot be understood.
    """
    has_postgres, reasons, filtered = _parts_of(folder.final)
    unread = {part: why for part, why in reasons.items() if part in _PARTS}
    if _ALL in reasons:
        unread = dict.fromkeys(_PARTS, reasons[_ALL])
    for part, path in (("tasks", folder.final_tasks), ("ledger", folder.final_ledger)):
        if not path.exists():
            unread.setdefault(part, f"{path.name} is missing")
    if not has_postgres:
        unread.setdefault("nonces", f"{folder.final.name} has none")
    if contract.ledger is None:
        unread.pop("ledger", None)
    tasks_known = not {"tasks"} & (unread.keys() | filtered.keys())
    return FinalStateCoverage(
        complete=tasks_known or _observer_saw_all(folder, hidden="tasks" in filtered),
        unread=unread,
        filtered=filtered,
        has_read_errors=bool(reasons),
    )


def _observer_saw_all(folder: RunFolder, *, hidden: bool) -> bool:
    """Whether the observer read every row until its end, so that the table is not needed.

    Args:
        folder: where the evidence lies.
        hidden: whether row-level security hides rows; polls may have missed them, the log shows
            every row.
    """
    if not folder.observer.exists():
        return False
    observer = folder.read_observer()
    read = observer.way == "logical" or (
        observer.way == "polling" and not (observer.filtered or hidden)
    )
    return read and observer.drained and not observer.in_gap and not observer.blind_since_ns


def _parts_of(path: Path) -> tuple[bool, dict[str, str], dict[str, str]]:
    """Whether the database was read, why which parts were not, and which are filtered."""
    if not path.exists():
        return False, {}, {}
    document = read_document(path)
    try:
        postgres = document.get("postgres")
        reasons = _texts(document.get("unread"))
        return postgres is not None, reasons, _texts((postgres or {}).get("filtered"))
    except MALFORMED as error:
        raise EvidenceError(f"cannot be understood: {error!r}", where=str(path)) from error


def _texts(mapping: Mapping[str, object] | None) -> dict[str, str]:
    return {str(part): str(why) for part, why in (mapping or {}).items()}
