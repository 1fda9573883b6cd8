"""Whose nonce is the repeated one: that of the later commit, whatever order the rows are in."""

from __future__ import annotations

from typing import cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.anomalies import Anomaly, AnomalyLog
from harness.analysis.integrity.nonces import NonceTracker
from harness.analysis.slots import Slots

# Addresses, nonces and commit times of a few signals, many of them equal; and chunks of rows.
SIGNALS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


class _Log:
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.noted: dict[Anomaly, list[int]] = {}

    def slots(self, kind: Anomaly, slots: Slots) -> None:
        """Keep it."""
        self.noted.setdefault(kind, []).extend(int(slot) for slot in slots)


def repeated(signals: list[tuple[int, int, int]], rows: list[int], cut: int) -> list[int]:
    """The signals that are noted when the rows are read in this order, in two chunks."""
    addresses, nonces, commits = (np.array(column) for column in zip(*signals, strict=True))
    log = _Log()
    tracker = NonceTracker({}, len(signals), cast("AnomalyLog", log))
    for part in (rows[:cut], rows[cut:]):
        slots = np.array(part, dtype=np.int64)
        tracker.add(addresses[slots].astype(np.uint16), nonces[slots].astype(np.int64), slots)
    tracker.note_repeated(addresses.astype(np.uint16), commits.astype(np.int64))
    return log.noted.get(Anomaly.NONCE_REPEATED, [])


@given(SIGNALS, st.data())
def test_the_first_commit_has_a_nonce_by_right(
    signals: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Then the first signal; the order of the rows changes neither who is noted nor the order."""
    order = data.draw(st.permutations(range(len(signals))))
    cut = data.draw(st.integers(0, len(signals)))
    first: dict[tuple[int, int], int] = {}
    by_commit = sorted(range(len(signals)), key=lambda slot: (signals[slot][2], slot))
    later = [slot for slot in by_commit if first.setdefault(signals[slot][:2], slot) != slot]
    assert repeated(signals, order, cut) == sorted(later)


def test_a_second_row_of_a_signal_repeats_no_nonce() -> None:
    """Two rows of one signal are another anomaly."""
    assert repeated([(0, 0, 5), (0, 1, 6)], [0, 1, 0], 2) == []
