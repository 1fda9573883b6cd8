"""What stays known of every signal after its sample is closed: nine bytes each."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from harness.analysis.samples import Mask
from harness.analysis.slots import Slots, SlotTable

# Instead of a state, where the FSM table has no row.
NO_ROW = 255
# Instead of the row of an open sample.
NOT_ATTEMPTED = -1
CLOSED = -2


class SignalFlag(IntFlag):
    """What has happened to a signal.

    INIT: it was seen in INIT before a final state. LEDGER: the ledger has rows of it. STALE: it was
    sent stale on purpose. TOUCHED: its row was written again after it was seen final.
    """

    ATTEMPTED = 1
    CLOSED = 2
    INIT = 4
    LEDGER = 8
    STALE = 16
    TOUCHED = 32


class SignalOutcomes:
    """Columns by slot.

    Attributes:
        link: row of the open sample; after it is closed, transaction of its first final state.
        state: first final state seen; 0 before.
        task_state: state in the FSM table when everything was quiet; NO_ROW without one.
        address: index of its signing address.
    """

    def __init__(self, table: SlotTable) -> None:
        total = table.total
        self.link = np.zeros(total, dtype=np.uint32)
        self.state = np.zeros(total, dtype=np.uint8)
        self.task_state = np.full(total, NO_ROW, dtype=np.uint8)
        self.address = np.zeros(total, dtype=np.uint16)
        self._marks = np.zeros(total, dtype=np.uint8)

    def has_flag(self, mark: SignalFlag, slots: Slots | slice = slice(None)) -> Mask:
        """Which of these slots bear a mark."""
        mask: Mask = (self._marks[slots] & np.uint8(mark)) != 0
        return mask

    def set_flag(self, mark: SignalFlag, slots: Slots) -> None:
        """Give these slots a mark."""
        self._marks[slots] |= np.uint8(mark)

    def rows(self, slots: Slots) -> NDArray[np.int64]:
        """Row of each signal's open sample, or NOT_ATTEMPTED, or CLOSED."""
        at = np.full(len(slots), NOT_ATTEMPTED, dtype=np.int64)
        known = slots >= 0
        own = slots[known]
        links = self.link[own].astype(np.int64)
        rows = np.where(self.has_flag(SignalFlag.ATTEMPTED, own), links, NOT_ATTEMPTED)
        at[known] = np.where(self.has_flag(SignalFlag.CLOSED, own), CLOSED, rows)
        return at
