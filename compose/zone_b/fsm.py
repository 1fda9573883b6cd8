"""States of a trade and the ways between them that Zone B may go."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Values of the PostgreSQL enum `task_status`. Zone B ends at SIMULATED or a rejection."""

    INIT = "INIT"
    SIMULATED = "SIMULATED"
    STALE_DATA_ERROR = "STALE_DATA_ERROR"
    INVARIANT_BROKEN = "INVARIANT_BROKEN"
    SIMULATION_TIMEOUT = "SIMULATION_TIMEOUT"
    SIMULATION_UNAVAILABLE = "SIMULATION_UNAVAILABLE"
    MALFORMED = "MALFORMED"
    # Zone C's; never written here.
    SIGNED = "SIGNED"
    BROADCASTED = "BROADCASTED"
    CONFIRMED = "CONFIRMED"
    REVERTED = "REVERTED"


REJECTIONS = frozenset(
    {
        Status.STALE_DATA_ERROR,
        Status.INVARIANT_BROKEN,
        Status.SIMULATION_TIMEOUT,
        Status.SIMULATION_UNAVAILABLE,
        Status.MALFORMED,
    }
)


def may_become(before: Status, after: Status) -> bool:
    """Whether Zone B may move a trade from one state to the other."""
    return before is Status.INIT and (after is Status.SIMULATED or after in REJECTIONS)
