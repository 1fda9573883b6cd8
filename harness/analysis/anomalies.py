"""Anomalies in the signals and the evidence: counts, and the first signals of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from harness.analysis.slots import Slots, SlotTable
from harness.contract import trace_id

EXAMPLES_MAX = 20
_DISTINCT_MAX = 65_536


class Anomaly(StrEnum):
    """Kinds of anomalies; the values are stored in results. The judge decides what each means."""

    # of the system under test
    LOST = "lost"
    STUCK = "stuck"
    TRIMMED = "trimmed"
    SEEN_LATE = "seen_late"
    COMMITTED_LATE = "committed_late"
    LEFT_PENDING = "left_pending"
    UNDELIVERED = "undelivered"
    UNEXPECTED = "unexpected"
    REFUSED_BUT_SEEN = "refused_but_seen"
    FINAL_TWICE = "final_twice"
    TWO_ROWS = "two_rows"
    AFTER_FINAL = "after_final"
    WITHOUT_INIT = "without_init"
    STALE_SIMULATED = "stale_simulated"
    STALE_MISJUDGED = "stale_misjudged"
    HEAD_LAG_SIMULATED = "behind_simulated"
    HEAD_LAG_TOO_LONG = "behind_too_long"
    HEAD_LAG_MISJUDGED = "behind_misjudged"
    STATE_CHANGED = "state_changed"
    STATE_UNKNOWN = "state_unknown"
    STATE_UNMAPPED = "state_unnamed"
    ROW_VANISHED = "row_vanished"
    ROW_REMOVED = "row_removed"
    NONCE_MISSING = "nonce_missing"
    NONCE_REPEATED = "nonce_repeated"
    NONCE_OUTSIDE = "nonce_outside"
    NONCE_KEPT = "nonce_kept"
    STAMP_LATE = "stamp_late"
    STAMP_EARLY = "stamp_early"
    ORDER_BROKEN = "order_broken"
    LEDGER_DOUBLED = "ledger_doubled"
    LEDGER_INCOMPLETE = "ledger_incomplete"
    LEDGER_BROKEN = "ledger_broken"
    LEDGER_UNKNOWN_ACCOUNT = "ledger_stranger"
    LEDGER_UNBALANCED = "ledger_unbalanced"
    LEDGER_MISSING = "ledger_missing"
    LEDGER_UNEXPECTED = "ledger_undue"
    # of the evidence
    UNSEEN = "unseen"
    ATTEMPT_REPEATED = "attempt_repeated"
    ATTEMPT_INVALID = "attempt_strange"
    ATTEMPT_MISSING = "attempt_missing"
    ACK_REPEATED = "ack_repeated"
    ACK_INVALID = "ack_strange"
    ACK_MISSING = "ack_missing"
    ACK_EARLY = "ack_early"
    SIGHTING_REPEATED = "sighting_repeated"
    SIGHTING_INVALID = "sighting_strange"
    TASK_INVALID = "task_strange"
    LEDGER_REPEATED = "ledger_repeated"


@dataclass(frozen=True, slots=True)
class AnomalySummary:
    """Count of an anomaly, and the first trace ids."""

    count: int = 0
    traces: tuple[str, ...] = ()


NO_ANOMALY = AnomalySummary()


class AnomalyLog:
    """Collects anomalies; memory is bounded, however many there are."""

    def __init__(self, table: SlotTable) -> None:
        self._table = table
        self._counts: dict[Anomaly, int] = {}
        self._examples: dict[Anomaly, list[str]] = {}
        self._unexpected: set[tuple[int, int]] = set()

    def slots(self, kind: Anomaly, slots: Slots) -> None:
        """Add the signals of these slots."""
        if len(slots) == 0:
            return
        examples = self._count(kind, len(slots))
        examples += [self._table.text(int(slot)) for slot in slots[: EXAMPLES_MAX - len(examples)]]

    def ids(
        self, kind: Anomaly, trace_hi: NDArray[np.uint64], trace_lo: NDArray[np.uint64]
    ) -> None:
        """Add these trace ids, which need not be signals of this run."""
        if len(trace_hi) == 0:
            return
        examples = self._count(kind, len(trace_hi))
        free = EXAMPLES_MAX - len(examples)
        examples += [
            trace_id.text(int(high), int(low))
            for high, low in zip(trace_hi[:free], trace_lo[:free], strict=True)
        ]

    def unexpected(self, trace_hi: NDArray[np.uint64], trace_lo: NDArray[np.uint64]) -> None:
        """Add final states of signals that were never attempted; each signal counts once."""
        for high, low in zip(trace_hi.tolist(), trace_lo.tolist(), strict=True):
            if (high, low) in self._unexpected:
                continue
            if len(self._unexpected) < _DISTINCT_MAX:
                self._unexpected.add((high, low))
            examples = self._count(Anomaly.UNEXPECTED, 1)
            if len(examples) < EXAMPLES_MAX:
                examples.append(trace_id.text(high, low))

    def count(self, kind: Anomaly, number: int) -> None:
        """Add an anomaly without the ids of its signals."""
        if number:
            self._count(kind, number)

    def findings(self) -> Mapping[Anomaly, AnomalySummary]:
        """All anomalies so far, by kind."""
        return {
            kind: AnomalySummary(count, tuple(self._examples[kind]))
            for kind, count in self._counts.items()
        }

    def _count(self, kind: Anomaly, number: int) -> list[str]:
        self._counts[kind] = self._counts.get(kind, 0) + number
        return self._examples.setdefault(kind, [])
