"""Whether the timestamps of FSM rows agree with their commit times; 12 bytes a signal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.clock_map import ClockMap
from harness.analysis.samples import Samples, column
from harness.analysis.signal_outcomes import SignalFlag, SignalOutcomes
from harness.analysis.slots import SlotTable
from harness.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from harness.evidence.records import STAMP, iter_records

# Clocks of hosts that keep time agree far better than this.
TOLERANCE_NS = NS_PER_S
_AGE_MAX_MS = np.iinfo(np.uint32).max
_CHUNK = 16_384


@dataclass(frozen=True, slots=True)
class TimestampCheck:
    """Result of the comparison.

    Attributes:
        compared: rows with a timestamp and a commit time.
        early_ns: largest time of a timestamp before its signal was sent; negative if none is.
        late_ns: largest time of a timestamp after its commit; negative if none is.
        tolerance_ns: of both, the clock error included.
    """

    compared: int = 0
    early_ns: int = 0
    late_ns: int = 0
    tolerance_ns: int = TOLERANCE_NS


class TimestampAnalyzer:
    """Commit times by slot, for comparison with the rows' timestamps.

    A row's last change lies between the sending of its signal and the commit. `now()` is the start
    of the transaction, which may be long before the commit but never after it.

    Args:
        table: the run's slots.
        outcomes: observed final states and task states.
        notes: receives impossible timestamps.
        clock: PostgreSQL's clock; without it nothing is compared.

    Attributes:
        commit_us: commit time of each slot's final state; 0 where unknown, or without the clock.
    """

    def __init__(
        self, table: SlotTable, outcomes: SignalOutcomes, notes: AnomalyLog, clock: ClockMap | None
    ) -> None:
        self._table = table
        self._outcomes = outcomes
        self._notes = notes
        self._clock = clock
        self.commit_us = np.zeros(table.total, dtype=np.int64)
        self._age_ms = np.zeros(table.total, dtype=np.uint32)

    def add(self, samples: Samples) -> None:
        """Add samples."""
        if self._clock is None:
            return
        known = samples[samples["final_us"] != 0]
        commit_us = column(known, "final_us")
        age_ms = (self._clock.mono_ns(commit_us) - column(known, "sent_ns")) // NS_PER_MS
        self.commit_us[known["slot"]] = commit_us
        self._age_ms[known["slot"]] = np.clip(age_ms, 0, _AGE_MAX_MS)

    def compare(self, path: Path) -> TimestampCheck | None:
        """Compare the timestamps with the commit times; None where no timestamps were stored.

        Raises:
            EvidenceError: the file cannot be read.
        """
        if not path.exists():
            return None
        error_ns = self._clock.error_ns if self._clock else 0
        tolerance_us = (TOLERANCE_NS + error_ns) // NS_PER_US
        compared, early_us, late_us = 0, [-tolerance_us], [-tolerance_us]
        for records in iter_records(path, STAMP, chunk=_CHUNK):
            slots = self._table.slots_of(records["trace_hi"], records["trace_lo"])
            own = slots >= 0
            own[own] = (self.commit_us[slots[own]] != 0) & (
                # The timestamp of a row that changed again belongs to that later change.
                (self._outcomes.state[slots[own]] == self._outcomes.task_state[slots[own]])
                & ~self._outcomes.has_flag(SignalFlag.TOUCHED, slots[own])
            )
            slots, timestamps = slots[own], records["updated_us"][own]
            if len(slots) == 0:
                continue
            late = timestamps - self.commit_us[slots]
            early = -late - self._age_ms[slots].astype(np.int64) * 1_000
            self._notes.slots(Anomaly.STAMP_LATE, slots[late > tolerance_us])
            self._notes.slots(Anomaly.STAMP_EARLY, slots[early > tolerance_us])
            compared += len(slots)
            early_us.append(int(early.max()))
            late_us.append(int(late.max()))
        return TimestampCheck(
            compared=compared,
            early_ns=max(early_us) * NS_PER_US,
            late_ns=max(late_us) * NS_PER_US,
            tolerance_ns=tolerance_us * NS_PER_US,
        )
