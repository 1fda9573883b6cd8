"""The amount that the ledger booked for each signal, compared with the planned amount.

Memory: 8 bytes a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly, AnomalyLog, AnomalySummary
from harness.analysis.slots import SlotTable
from harness.evidence.records import BOOKING, iter_records

# The observer's mark for "not exactly one TRADE entry"; another check covers that.
_NOT_ONE = -2
_BLOCK = 16_384

ExpectedAmounts = Callable[[int, int, int], Sequence[int]]


class LedgerAmounts:
    """Booked amounts by slot.

    Args:
        table: the run's slots.
        notes: receives unbalanced transactions and unknown accounts.

    Attributes:
        signals: signals of the run with bookings; None when they were not stored.
    """

    def __init__(self, table: SlotTable, notes: AnomalyLog) -> None:
        self.signals: int | None = None
        self._table = table
        self._notes = notes
        self._amounts = np.full(table.total, _NOT_ONE, dtype=np.int64)

    def read(self, path: Path) -> None:
        """Read the file; without it everything stays unknown.

        Raises:
            EvidenceError: it cannot be read.
        """
        if not path.exists():
            return
        self.signals = 0
        for records in iter_records(path, BOOKING, chunk=_BLOCK):
            slots = self._table.slots_of(records["trace_hi"], records["trace_lo"])
            records, slots = records[slots >= 0], slots[slots >= 0]
            self.signals += len(slots)
            self._amounts[slots] = records["trade_wei"]
            unknown = records["strangers"] > 0
            self._notes.slots(Anomaly.LEDGER_UNKNOWN_ACCOUNT, slots[unknown])
            unbalanced = (records["unbalanced"] > 0) & ~unknown
            self._notes.slots(Anomaly.LEDGER_UNBALANCED, slots[unbalanced])

    def find_mismatches(self, expected: ExpectedAmounts) -> AnomalySummary:
        """Signals whose TRADE entry has another amount than the plan gives them.

        Args:
            expected: amounts in wei of an agent's signals: agent, first of them, how many.
        """
        count, names = 0, list[str]()
        for agent in np.flatnonzero(self._table.sizes).tolist():
            base, size = int(self._table.bases[agent]), int(self._table.sizes[agent])
            for first in range(0, size, _BLOCK):
                booked = self._amounts[base + first : base + min(first + _BLOCK, size)]
                has_trade = booked != _NOT_ONE
                if not has_trade.any():
                    continue
                wrong = has_trade & (booked != np.array(expected(agent, first, len(booked))))
                places = np.flatnonzero(wrong) + base + first
                count += len(places)
                names += [self._table.text(int(at)) for at in places[: EXAMPLES_MAX - len(names)]]
        return AnomalySummary(count, tuple(names))
