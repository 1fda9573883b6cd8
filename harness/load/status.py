"""Status lines of swarm processes, and their sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.clock import NS_PER_S

# Processes report once a second; after a longer silence the rate is unknown.
_SILENT_NS = 3 * NS_PER_S

Status = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SwarmTotals:
    """All processes of a swarm together.

    Attributes:
        due: signals whose intended time has passed.
        sent: signals attempted.
        accepted: signals Redis acknowledged.
        refused: signals Redis refused, or that could not be sent.
        unknown: signals whose answer was lost.
        agents: running agents.
        blocks: chain events acknowledged by agents.
        lateness_max_ns: largest send lag in the newest status lines.
        reported_ns: time of the status lines, the mean of all processes; 0 without any.
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
    """Signals sent per second, from status lines that arrive irregularly.

    A reader that polls once a second sometimes misses a line and finds two the next time: only the
    times in the lines give a rate.

    Args:
        t0_ns: start of the load.
    """

    def __init__(self, t0_ns: int) -> None:
        self._reported_ns = t0_ns
        self._sent = 0
        self._rate = 0.0

    def update(self, totals: SwarmTotals, now_ns: int) -> float:
        """The rate between the newest two status lines; 0 when they are old."""
        if totals.reported_ns > self._reported_ns:
            elapsed_s = (totals.reported_ns - self._reported_ns) / NS_PER_S
            self._rate = max(0, totals.sent - self._sent) / elapsed_s
            self._reported_ns, self._sent = totals.reported_ns, totals.sent
        return self._rate if now_ns - self._reported_ns <= _SILENT_NS else 0.0


_SUMMED = ("due", "sent", "accepted", "refused", "unknown", "agents", "blocks")
# Fields that are read of a status line; all are integers.
STATUS_FIELDS = (*_SUMMED, "lateness_max_ns", "mono_ns")


def sum_statuses(statuses: Iterable[Status]) -> SwarmTotals:
    """Sums of the newest status of each process; missing figures count as 0."""
    known = tuple(statuses)
    sums = {name: sum(int(status.get(name, 0)) for status in known) for name in _SUMMED}
    lateness = max((int(status.get("lateness_max_ns", 0)) for status in known), default=0)
    times_ns = [int(status.get("mono_ns", 0)) for status in known]
    return SwarmTotals(
        **sums,
        lateness_max_ns=lateness,
        reported_ns=sum(times_ns) // len(times_ns) if times_ns else 0,
    )
