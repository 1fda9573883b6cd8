"""Signals that became final after the drain deadline."""

from __future__ import annotations

import numpy as np

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.clock_map import ClockMap
from harness.analysis.samples import Samples, column


class LateSignalAnalyzer:
    """Counts late signals.

    The observation ends shortly after the deadline. A signal that becomes final in between is not
    lost and has a latency, but it is late.

    Args:
        deadline_ns: monotonic; 0 if there was none.
        clock: PostgreSQL's clock; without it commit times are not used.
        notes: receives SEEN_LATE, signals observed final after the deadline (an upper bound of
            the truth), and COMMITTED_LATE, those whose lower bound is late too: the commit time,
            or without one the observer's read before.
    """

    def __init__(self, deadline_ns: int, clock: ClockMap | None, notes: AnomalyLog) -> None:
        self._deadline_ns = deadline_ns
        self._clock = clock
        self._notes = notes

    def add(self, samples: Samples) -> None:
        """Add samples with their outcomes."""
        if not self._deadline_ns:
            return
        late = samples[column(samples, "seen_ns") > self._deadline_ns]
        if len(late) == 0:
            return
        slots = column(late, "slot")
        self._notes.slots(Anomaly.SEEN_LATE, slots)
        least_ns = column(late, "since_ns")
        if self._clock is not None:
            commit_us = column(late, "final_us")
            least_ns = np.where(commit_us != 0, self._clock.mono_ns(commit_us), least_ns)
        self._notes.slots(Anomaly.COMMITTED_LATE, slots[least_ns > self._deadline_ns])
