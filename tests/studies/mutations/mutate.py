"""Ways to tamper with a stored file of fixed-size records; each changes one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.evidence.records import ACK, ATTEMPT, LEDGER, SIGHTING, TASK, Records
from harness.evidence.run_folder import RunFolder

# (records, place) -> records
Mutation = Callable[[Records, int], Records]


def drop(records: Records, at: int) -> Records:
    """One record is gone."""
    rest: Records = np.delete(records, at)
    return rest


def duplicate(records: Records, at: int) -> Records:
    """One record stands twice, side by side."""
    twice: Records = np.insert(records, at, records[at])
    return twice


def reorder(records: Records, at: int) -> Records:
    """Two records far apart change places."""
    other = (at + len(records) // 2) % len(records)
    moved: Records = records.copy()
    moved[[at, other]] = records[[other, at]]
    return moved


def forge(field: str) -> Mutation:
    """One value of one record is another."""

    def change(records: Records, at: int) -> Records:
        forged: Records = records.copy()
        forged[field][at] = records[field][at] ^ 1
        return forged

    return change


# What every kind of file holds, and the values of it that a verdict rests on.
LAYOUTS: Mapping[str, tuple[np.dtype[Any], tuple[str, ...]]] = {
    "attempts": (ATTEMPT, ("trace_lo", "intended_ns")),
    "acks": (ACK, ("trace_lo", "outcome")),
    "sightings": (SIGHTING, ("trace_lo", "state")),
    "final-tasks": (TASK, ("trace_lo", "state", "nonce")),
    "final-ledger": (LEDGER, ("trace_lo", "trades", "transactions")),
}
# In the final state's files the order says nothing, and a seal alone tells that it was changed.
ORDERED = ("attempts", "acks", "sightings")


def mutations(kind: str) -> dict[str, Mutation]:
    """Every way to tamper with this kind of file."""
    _, fields = LAYOUTS[kind]
    found: dict[str, Mutation] = {"drop": drop, "duplicate": duplicate, "reorder": reorder}
    return found | {f"forge {field}": forge(field) for field in fields}


def path_of(folder: RunFolder, kind: str) -> Path:
    """The first file of a kind."""
    return {
        "attempts": folder.journal / "attempts-0.bin",
        "acks": folder.journal / "acks-0.bin",
        "sightings": folder.sightings,
        "final-tasks": folder.final_tasks,
        "final-ledger": folder.final_ledger,
    }[kind]


def tamper(folder: RunFolder, kind: str, mutation: Mutation, at: int) -> None:
    """Rewrite a file of the run with one place changed."""
    path = path_of(folder, kind)
    records = np.fromfile(path, dtype=LAYOUTS[kind][0])
    mutation(records, at % len(records)).tofile(path)
