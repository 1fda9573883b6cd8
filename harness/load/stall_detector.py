"""Detects stalls: times at which a process should have been awake and was not."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import NS_PER_MS

# Shorter delays are normal scheduling; send lag itself is measured on each signal.
STALL_MIN_NS = 50 * NS_PER_MS


@dataclass(slots=True)
class StallDetector:
    """Sums the delays of wake-ups since the last `reset`.

    Attributes:
        late_max_ns: largest delay.
        stalled_ns: sum of the delays of STALL_MIN_NS and more.
    """

    late_max_ns: int = 0
    stalled_ns: int = 0

    def woke(self, late_ns: int) -> None:
        """Add the delay of one wake-up."""
        self.late_max_ns = max(self.late_max_ns, late_ns)
        if late_ns >= STALL_MIN_NS:
            self.stalled_ns += late_ns

    def reset(self) -> None:
        """Clear the figures."""
        self.late_max_ns = self.stalled_ns = 0
