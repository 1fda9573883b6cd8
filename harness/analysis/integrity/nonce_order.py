"""Whether signals got their nonces in the order in which Redis took them; 8 bytes each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.entry_ids import NO_ENTRY_ID
from harness.analysis.samples import Samples
from harness.analysis.slots import Slots, SlotTable


@dataclass(frozen=True, slots=True)
class NonceOrderCheck:
    """What was compared.

    Attributes:
        compared: signals with both an entry id and a nonce.
        crossed: places at which signals of different agents on one address changed their order.
            Nobody promises that one: agents do not know of each other.
    """

    compared: int
    crossed_count: int


class NonceOrderAnalyzer:
    """Entry ids of all signals, to be held against their nonces.

    Signals without a nonce (rejected, lost) and without an entry id (no answer from Redis) have
    no place in the order, and break none.

    Args:
        table: the run's slots.
        notes: where signals out of order go.
    """

    def __init__(self, table: SlotTable, notes: AnomalyLog) -> None:
        self._table = table
        self._notes = notes
        self._entries = np.full(table.total, NO_ENTRY_ID, dtype=np.uint64)

    def add(self, samples: Samples) -> None:
        """Take in samples."""
        self._entries[samples["slot"]] = samples["entry"]

    def find(self, entries: NDArray[np.uint64]) -> Slots:
        """The signals that have these entries; those of others are left out."""
        return np.flatnonzero(np.isin(self._entries, entries[entries != NO_ENTRY_ID]))

    def after(self, entry: int) -> Slots:
        """The signals whose entries came after this one."""
        return np.flatnonzero(self._entries > np.uint64(entry))

    def compare(self, nonces: NDArray[np.int32], addresses: NDArray[np.uint16]) -> NonceOrderCheck:
        """Hold entry ids against nonces, per agent and address.

        Args:
            nonces: of each slot, below zero without one.
            addresses: of each slot.
        """
        slots = np.flatnonzero((self._entries != NO_ENTRY_ID) & (nonces >= 0))
        entries, own, given = self._entries[slots], addresses[slots], nonces[slots]
        agents = self._table.agents_of(slots)

        order = np.lexsort((entries, own, agents))
        same = (np.diff(agents[order]) == 0) & (np.diff(own[order].astype(np.int64)) == 0)
        broken = np.flatnonzero(same & (np.diff(given[order]) < 0))
        # Of two that changed places nobody can say which one moved.
        self._notes.slots(Anomaly.ORDER_BROKEN, _each_once(slots[order], broken))

        order = np.lexsort((entries, own))
        same = np.diff(own[order].astype(np.int64)) == 0
        strangers = np.diff(agents[order]) != 0
        crossed = same & strangers & (np.diff(given[order]) < 0)
        return NonceOrderCheck(compared=len(slots), crossed_count=int(crossed.sum()))


def _each_once(slots: Slots, pairs: Slots) -> Slots:
    """The slots at these places and at those after them, in order."""
    return slots[np.unique(np.concatenate((pairs, pairs + 1)))]
