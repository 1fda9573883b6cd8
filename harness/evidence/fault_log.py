"""Lines of `faults.jsonl`: one record for each planned fault."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from harness.evidence.jsonl import format_jsonl, parse_jsonl


class FaultRecord(BaseModel):
    """A fault from its plan to its end; times are monotonic, None for events that never happened.

    Attributes:
        number: position in the plan.
        peer: the other service, of a fault between two.
        planned_ns: planned start.
        for_ns: planned length; 0 for an instantaneous fault.
        injected_ns: start of the injection.
        proven_ns: first time the probe proved it in force.
        held_ns: last time the probe proved it in force, before the healing.
        healed_ns: start of the healing.
        heal_proven_ns: when the probe proved it gone and the service working.
        seen: result of the probe while it was in force.
        seen_healed: result of the probe after the healing.
        trouble: what failed; empty if nothing did.
        answered_ns: when the expected reaction of the system was first observed.
        answer: what was observed of that reaction.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    kind: str
    target: str
    peer: str = ""
    planned_ns: int
    for_ns: int = 0
    injected_ns: int | None = None
    proven_ns: int | None = None
    held_ns: int | None = None
    healed_ns: int | None = None
    heal_proven_ns: int | None = None
    seen: str = ""
    seen_healed: str = ""
    trouble: str = ""
    answered_ns: int | None = None
    answer: str = ""

    @property
    def name(self) -> str:
        """Kind, target and peer in one text."""
        other = f" and {self.peer}" if self.peer else ""
        return f"{self.kind} of {self.target}{other}"

    @property
    def recovery_start_ns(self) -> int | None:
        """Start of the recovery time.

        It is the healing of a lasting fault, and the injection of an instantaneous one.
        """
        return self.healed_ns if self.for_ns else self.injected_ns


def format_fault_record(record: FaultRecord) -> str:
    """The line of a record."""
    return format_jsonl(record)


def read_faults(lines: Iterable[str], where: str = "faults.jsonl") -> tuple[FaultRecord, ...]:
    """All records, in the order of the plan.

    Raises:
        EvidenceError: a line cannot be read.
    """
    found = parse_jsonl(lines, FaultRecord.model_validate_json, where)
    return tuple(sorted(found, key=lambda record: record.number))
