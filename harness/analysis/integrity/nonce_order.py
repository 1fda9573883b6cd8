"""Whether signals get their nonces in the order of their stream entries, and which have none.

Memory: 8 bytes a signal, its stream entry id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.entry_ids import NO_ENTRY_ID, pack_id
from harness.analysis.samples import Samples
from harness.analysis.slots import Slots, SlotTable
from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.strict_json import MALFORMED


@dataclass(frozen=True, slots=True)
class NonceOrderCheck:
    """Result of the comparison of entry ids with nonces.

    Attributes:
        compared: signals with both an entry id and a nonce.
        crossed_count: neighbours of different agents on one address whose order differs. No
            check demands that order: agents do not coordinate.
    """

    compared: int
    crossed_count: int


class NonceOrderAnalyzer:
    """Entry ids of all signals, for comparison with their nonces.

    Signals without a nonce (rejected, lost) or without an entry id (no answer from Redis) are not
    compared.

    Args:
        table: the run's slots.
        notes: receives the signals out of order.
    """

    def __init__(self, table: SlotTable, notes: AnomalyLog) -> None:
        self._table = table
        self._notes = notes
        self._entries = np.full(table.total, NO_ENTRY_ID, dtype=np.uint64)

    def add(self, samples: Samples) -> None:
        """Add samples."""
        self._entries[samples["slot"]] = samples["entry"]

    def find(self, entries: NDArray[np.uint64]) -> Slots:
        """Slots of the signals with these entries; entries of other programs match none."""
        return np.flatnonzero(np.isin(self._entries, entries[entries != NO_ENTRY_ID]))

    def after(self, entry: int) -> Slots:
        """Slots of the signals whose entries come after this one."""
        return np.flatnonzero(self._entries > np.uint64(entry))

    def compare(self, nonces: NDArray[np.int32], addresses: NDArray[np.uint16]) -> NonceOrderCheck:
        """Compare the order of entry ids with that of nonces, per agent and address.

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
        # Of two that changed places either may have moved: both are listed.
        self._notes.slots(Anomaly.ORDER_BROKEN, _each_once(slots[order], broken))

        order = np.lexsort((entries, own))
        same = np.diff(own[order].astype(np.int64)) == 0
        other_agent = np.diff(agents[order]) != 0
        crossed = same & other_agent & (np.diff(given[order]) < 0)
        return NonceOrderCheck(compared=len(slots), crossed_count=int(crossed.sum()))


def _each_once(slots: Slots, pairs: Slots) -> Slots:
    """The slots at these places and at those after them, in order."""
    return slots[np.unique(np.concatenate((pairs, pairs + 1)))]


def note_undelivered(path: Path, order: NonceOrderAnalyzer, notes: AnomalyLog) -> None:
    """Log the signals whose entries are pending or were never delivered, by `final.json`.

    Args:
        path: `final.json`; without one, or without a consumer group in it, nothing is logged.
        order: entry ids of the signals.
        notes: receives the signals.

    Raises:
        EvidenceError: the file cannot be understood.
    """
    group = _group(path)
    if group is None:
        return
    try:
        pending = [pack_id(text) for text in group.get("pending_ids") or ()]
        delivered = pack_id(group["last_delivered_id"])
    except MALFORMED as error:
        raise EvidenceError(f"cannot be understood: {error!r}", where=str(path)) from error
    notes.slots(Anomaly.LEFT_PENDING, order.find(np.array(pending, dtype=np.uint64)))
    notes.slots(Anomaly.UNDELIVERED, order.after(delivered))


def _group(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        document = atomic_files.read_document(path)
        group = ((document.get("redis") or {}).get("proposals") or {}).get("engine_group")
    except MALFORMED as error:
        raise EvidenceError(f"cannot be understood: {error!r}", where=str(path)) from error
    return group if isinstance(group, dict) and "last_delivered_id" in group else None
