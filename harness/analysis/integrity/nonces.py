"""Whether the nonces of each address are contiguous and unique.

Memory: 5 bytes a signal, and 16 bytes for each one with a nonce that another one has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.slots import Slots

_SPARE = 1_024


@dataclass(frozen=True, slots=True)
class NonceRange:
    """The nonces that one address has used.

    Attributes:
        address: its index.
        start: the first nonce it was to use.
        used: distinct nonces.
        highest: the highest of them.
        gaps: unused nonces from `start` to `highest`, the first 20.
        gap_count: number of unused nonces.
    """

    address: int
    start: int
    used: int
    highest: int
    gaps: tuple[int, ...]
    gap_count: int


class NonceTracker:
    """Nonces given to the signals read so far.

    Args:
        starts: first nonce of an address, by its index; 0 for the others.
        signals: how many there are; a nonce further from its start is out of range.
        notes: receives nonces out of range, and repeated ones from `note_repeated`.

    Attributes:
        offsets: nonce of each slot, counted from the first of its address; below zero without one.
    """

    def __init__(self, starts: Mapping[int, int], signals: int, notes: AnomalyLog) -> None:
        self._starts = dict(starts)
        self._limit = signals + _SPARE
        self._notes = notes
        self.offsets = np.full(signals, -1, dtype=np.int32)
        self._pages: dict[int, NDArray[np.bool_]] = {}
        self._repeated: list[tuple[NDArray[np.int64], Slots]] = []

    def add(self, addresses: NDArray[np.uint16], nonces: NDArray[np.int64], slots: Slots) -> None:
        """Add the nonces of these signals; a second row with the same nonce changes nothing."""
        order = np.argsort(addresses, kind="stable")
        addresses, nonces, slots = addresses[order], nonces[order], slots[order]
        edges = np.flatnonzero(np.diff(addresses)) + 1
        for group in np.split(np.arange(len(addresses)), edges):
            if len(group):
                self._add_one(int(addresses[group[0]]), nonces[group], slots[group])

    def ranges(self) -> tuple[NonceRange, ...]:
        """The nonces that every address has used."""
        return tuple(self._range(address) for address in sorted(self._pages))

    def note_repeated(self, addresses: NDArray[np.uint16], commit_us: NDArray[np.int64]) -> None:
        """Note the signals whose nonce another one had before, whatever order the rows are in.

        Of the signals with one nonce the first has it by right: by commit time, then by slot. The
        others are noted in the order of their slots.

        Args:
            addresses: of each slot.
            commit_us: of each slot; 0 where unknown.
        """
        if not self._repeated:
            return
        repeated = np.concatenate([keys for keys, _ in self._repeated])
        wanted, counts = np.unique(repeated, return_counts=True)
        given = np.flatnonzero(self.offsets >= 0)
        given_keys = _keys(addresses[given], self.offsets[given])
        own = np.isin(given_keys, wanted)
        keys = np.concatenate((given_keys[own], repeated))
        slots = np.concatenate((given[own], *(slots for _, slots in self._repeated)))
        keys, slots = np.unique(np.stack((keys, slots)), axis=1)
        order = np.lexsort((slots, commit_us[slots], keys))
        keys, slots = keys[order], slots[order]
        after = np.searchsorted(keys, keys, side="right") - 1 - np.arange(len(keys))
        later = slots[after < counts[np.searchsorted(wanted, keys)]]
        self._notes.slots(Anomaly.NONCE_REPEATED, np.sort(later))

    def _add_one(self, address: int, nonces: NDArray[np.int64], slots: Slots) -> None:
        offsets = nonces - self._starts.get(address, 0)
        inside = (offsets >= 0) & (offsets < self._limit)
        self._notes.slots(Anomaly.NONCE_OUTSIDE, slots[~inside])
        inside &= self.offsets[slots] != offsets  # a second row of the same signal
        offsets, slots = offsets[inside], slots[inside]
        if len(offsets) == 0:
            return
        page = self._page(address, int(offsets.max()) + 1)
        fresh = ~page[offsets]
        order = np.arange(len(offsets))
        first_at = np.zeros(int(offsets.max()) + 1, dtype=np.int64)
        first_at[offsets[::-1]] = order[::-1]
        fresh &= first_at[offsets] == order
        page[offsets] = True
        self.offsets[slots] = offsets
        if not fresh.all():
            self._repeated.append((_keys(address, offsets[~fresh]), slots[~fresh]))

    def _page(self, address: int, size: int) -> NDArray[np.bool_]:
        page = self._pages.get(address)
        if page is None or len(page) < size:
            larger = np.zeros(max(size, 64 if page is None else 2 * len(page)), dtype=np.bool_)
            if page is not None:
                larger[: len(page)] = page
            self._pages[address] = page = larger
        return page

    def _range(self, address: int) -> NonceRange:
        page = self._pages[address]
        start = self._starts.get(address, 0)
        offsets = np.flatnonzero(page)
        highest = int(offsets[-1])
        gaps = np.flatnonzero(~page[:highest])
        return NonceRange(
            address=address,
            start=start,
            used=len(offsets),
            highest=start + highest,
            gaps=tuple(int(gap) + start for gap in gaps[:20]),
            gap_count=len(gaps),
        )


def _keys(
    addresses: NDArray[np.uint16] | int, offsets: NDArray[np.signedinteger]
) -> NDArray[np.int64]:
    """A number for each pair of address and offset."""
    return (np.asarray(addresses, dtype=np.int64) << 32) | offsets.astype(np.int64)
