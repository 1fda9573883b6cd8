"""The only clock and the only sleep of the main process.

Every duration is measured on the host's monotonic clock, which all processes of a host share.
"""

from __future__ import annotations

import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000


class Clock(Protocol):
    """A monotonic clock that can also wait."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...

    def wall_ns(self) -> int:
        """Unix time in nanoseconds; for timestamps, never for durations."""
        ...

    def sleep_ns(self, duration_ns: int) -> None:
        """Wait; a duration of zero or less returns at once."""
        ...


class SystemClock:
    """The host's clocks."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def sleep_ns(self, duration_ns: int) -> None:
        if duration_ns > 0:
            time.sleep(duration_ns / NS_PER_S)


class ManualClock:
    """A clock that only `advance` and `sleep_ns` move."""

    def __init__(self, now_ns: int = 0, wall_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._wall_ns = wall_ns

    def now_ns(self) -> int:
        return self._now_ns

    def wall_ns(self) -> int:
        return self._wall_ns

    def sleep_ns(self, duration_ns: int) -> None:
        self.advance(max(0, duration_ns))

    def advance(self, duration_ns: int) -> None:
        """Move both clocks."""
        self._now_ns += duration_ns
        self._wall_ns += duration_ns
