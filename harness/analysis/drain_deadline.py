"""Signals that became final, but only after the drain deadline."""

from __future__ import annotations

import numpy as np

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.clock_map import ClockMap
from harness.analysis.samples import Samples, column


class LateSignalAnalyzer:
    """Takes in samples; keeps nothing of them but what is late.

    The end of the watching comes a little after the deadline, and what becomes final in between
    is no lost signal: it has a latency of its own. It is late all the same.

    Args:
        deadline_ns: monotonic; 0 if there was none.
        clock: PostgreSQL's clock; without it commit times are of no use.
        notes: SEEN_LATE counts signals that were seen final after the deadline, which is an upper
            bound of the truth; COMMITTED_LATE those of them of which the lower bound is late
            as well: the commit, or without its time the observer's read before.
    """

    def __init__(self, deadline_ns: int, clock: ClockMap | None, notes: AnomalyLog) -> None:
        self._deadline_ns = deadline_ns
        self._clock = clock
        self._notes = notes

    def add(self, samples: Samples) -> None:
        """Take in samples; every one has its fate."""
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
