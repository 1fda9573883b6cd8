"""What swarm processes say of themselves, and what it sums up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Status = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SwarmTotals:
    """All processes of a swarm together.

    Attributes:
        due: signals whose intended time has come.
        sent: signals attempted.
        accepted: signals Redis acknowledged.
        refused: signals Redis refused, or that could not be sent.
        unknown: signals whose answer was lost.
        agents: agents that are there now.
        blocks: chain events acknowledged by agents.
        lateness_max_ns: the longest that a signal was late in the newest status lines.
    """

    due: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    agents: int = 0
    blocks: int = 0
    lateness_max_ns: int = 0


_SUMMED = ("due", "sent", "accepted", "refused", "unknown", "agents", "blocks")


def sum_statuses(statuses: Iterable[Status]) -> SwarmTotals:
    """The newest status of each process, summed; figures that are missing count as nothing."""
    known = tuple(statuses)
    sums = {name: sum(int(status.get(name, 0)) for status in known) for name in _SUMMED}
    lateness = max((int(status.get("lateness_max_ns", 0)) for status in known), default=0)
    return SwarmTotals(**sums, lateness_max_ns=lateness)
