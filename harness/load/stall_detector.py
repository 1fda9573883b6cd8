"""Notices when a process was not let in, or was busy, at a time when it should have been awake."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import NS_PER_MS

# Below, a pause is the small change of any scheduler; lateness itself is measured on each signal.
STALL_MIN_NS = 50 * NS_PER_MS


@dataclass(slots=True)
class StallDetector:
    """Sums up how late a process woke, since the last `reset`.

    Attributes:
        late_max_ns: the latest.
        stalled_ns: the sum of those from STALL_MIN_NS on.
    """

    late_max_ns: int = 0
    stalled_ns: int = 0

    def woke(self, late_ns: int) -> None:
        """The process woke so much later than it had asked for."""
        self.late_max_ns = max(self.late_max_ns, late_ns)
        if late_ns >= STALL_MIN_NS:
            self.stalled_ns += late_ns

    def reset(self) -> None:
        """Begin anew."""
        self.late_max_ns = self.stalled_ns = 0
