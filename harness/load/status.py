"""What swarm processes say of themselves, and what it sums up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.clock import NS_PER_S

# Processes speak once a second; from one that was silent for longer nothing is known.
_SILENT_NS = 3 * NS_PER_S

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
        told_ns: when this was said, the mean of all processes; 0 before their first words.
    """

    due: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    agents: int = 0
    blocks: int = 0
    lateness_max_ns: int = 0
    reported_ns: int = 0


class SendRate:
    """Signals sent per second, from words that come when they come.

    Looking once a second at what is said once a second, one misses a word now and then and finds
    two the next time: only the words' own times give a rate.

    Args:
        t0_ns: when the load begins.
    """

    def __init__(self, t0_ns: int) -> None:
        self._told_ns = t0_ns
        self._sent = 0
        self._rate = 0.0

    def update(self, totals: SwarmTotals, now_ns: int) -> float:
        """The rate between the newest words and those before; 0 when they are old."""
        if totals.reported_ns > self._told_ns:
            elapsed_s = (totals.reported_ns - self._told_ns) / NS_PER_S
            self._rate = max(0, totals.sent - self._sent) / elapsed_s
            self._told_ns, self._sent = totals.reported_ns, totals.sent
        return self._rate if now_ns - self._told_ns <= _SILENT_NS else 0.0


_SUMMED = ("due", "sent", "accepted", "refused", "unknown", "agents", "blocks")
# What is read of a status line; each is a whole number.
STATUS_FIELDS = (*_SUMMED, "lateness_max_ns", "mono_ns")


def sum_statuses(statuses: Iterable[Status]) -> SwarmTotals:
    """The newest status of each process, summed; figures that are missing count as nothing."""
    known = tuple(statuses)
    sums = {name: sum(int(status.get(name, 0)) for status in known) for name in _SUMMED}
    lateness = max((int(status.get("lateness_max_ns", 0)) for status in known), default=0)
    stamps = [int(status.get("mono_ns", 0)) for status in known]
    return SwarmTotals(
        **sums, lateness_max_ns=lateness, reported_ns=sum(stamps) // len(stamps) if stamps else 0
    )
