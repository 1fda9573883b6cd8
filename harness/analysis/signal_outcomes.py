"""What is kept of every signal after its sample is closed: nine bytes each."""

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
    """What happened to a signal.

    INIT: observed in INIT before a final state. LEDGER: it has ledger rows. STALE: it was sent
    stale on purpose. TOUCHED: its row was written again after its final state was observed.
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
        state: first final state observed; 0 before.
        task_state: state in the FSM table after the run; NO_ROW without a row.
        address: index of its signing address.
    """

    def __init__(self, table: SlotTable) -> None:
        total = table.total
        self.link = np.zeros(total, dtype=np.uint32)
        self.state = np.zeros(total, dtype=np.uint8)
        self.task_state = np.full(total, NO_ROW, dtype=np.uint8)
        self.address = np.zeros(total, dtype=np.uint16)
        self._flags = np.zeros(total, dtype=np.uint8)

    def has_flag(self, flag: SignalFlag, slots: Slots | slice = slice(None)) -> Mask:
        """Which of these slots have a flag."""
        mask: Mask = (self._flags[slots] & np.uint8(flag)) != 0
        return mask

    def set_flag(self, flag: SignalFlag, slots: Slots) -> None:
        """Set a flag of these slots."""
        self._flags[slots] |= np.uint8(flag)

    def rows(self, slots: Slots) -> NDArray[np.int64]:
        """Row of each signal's open sample, or NOT_ATTEMPTED, or CLOSED."""
        at = np.full(len(slots), NOT_ATTEMPTED, dtype=np.int64)
        known = slots >= 0
        own_slots = slots[known]
        links = self.link[own_slots].astype(np.int64)
        rows = np.where(self.has_flag(SignalFlag.ATTEMPTED, own_slots), links, NOT_ATTEMPTED)
        at[known] = np.where(self.has_flag(SignalFlag.CLOSED, own_slots), CLOSED, rows)
        return at
