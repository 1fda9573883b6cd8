"""What stays known of every signal after its sample is closed: sixteen bytes each."""

from __future__ import annotations

import numpy as np

from harness.measure.slots import SlotTable

# Instead of the row of an open sample.
NOT_ATTEMPTED = -1
CLOSED = -2
# Instead of a state, where the FSM table has no row.
NO_ROW = 255


class Fates:
    """Columns by slot.

    Attributes:
        row: row of the signal's open sample, or NOT_ATTEMPTED, or CLOSED.
        final_xid: transaction of the first final state seen.
        state: first final state seen; 0 before.
        task_state: state in the FSM table when everything was quiet; NO_ROW without one.
        address: index of its signing address.
        has_init: INIT was seen before a final state.
        has_ledger: the ledger has rows of it.
    """

    def __init__(self, table: SlotTable) -> None:
        total = table.total
        self.row = np.full(total, NOT_ATTEMPTED, dtype=np.int32)
        self.final_xid = np.zeros(total, dtype=np.uint32)
        self.state = np.zeros(total, dtype=np.uint8)
        self.task_state = np.full(total, NO_ROW, dtype=np.uint8)
        self.address = np.zeros(total, dtype=np.uint32)
        self.has_init = np.zeros(total, dtype=np.bool_)
        self.has_ledger = np.zeros(total, dtype=np.bool_)
