"""One line of `faults.jsonl`: the record of one fault."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from harness.evidence.jsonl import format_jsonl, parse_jsonl


class FaultRecord(BaseModel):
    """A fault from its plan to its end; times are monotonic, None for what never came.

    Attributes:
        number: its place in the plan.
        peer: the other service, of a fault between two.
        planned_ns: when it was to begin.
        for_ns: how long it was to last; 0 where it is a moment.
        injected_ns: when the injector began.
        proven_ns: when the probe first saw it in force.
        held_ns: when the probe saw it in force for the last time, before it was healed.
        healed_ns: when the injector began to heal it.
        heal_proven_ns: when the probe saw it gone, and the service at work.
        seen: the probe's message, when it saw it in force.
        seen_healed: the probe's message, when it saw it gone.
        trouble: what went wrong; empty if nothing did.
        answered_ns: when the system was first seen to have done what it has to do about it.
        answer: what was seen of that.
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
        """Its kind with its services, for a reader."""
        other = f" and {self.peer}" if self.peer else ""
        return f"{self.kind} of {self.target}{other}"

    @property
    def recovery_start_ns(self) -> int | None:
        """From when on nothing but the system itself kept it from working.

        A fault that lasts ends when it is healed; from one that is a moment the system has to
        recover at once.
        """
        return self.healed_ns if self.for_ns else self.injected_ns


def format_fault_record(record: FaultRecord) -> str:
    """A record as its line."""
    return format_jsonl(record)


def read_faults(lines: Iterable[str], where: str = "faults.jsonl") -> tuple[FaultRecord, ...]:
    """Every record, in the order of the plan.

    Raises:
        EvidenceError: a line is none.
    """
    found = parse_jsonl(lines, FaultRecord.model_validate_json, where)
    return tuple(sorted(found, key=lambda record: record.number))
