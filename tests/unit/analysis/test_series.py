"""Durations by intended time, over several blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.series import Series
from harness.analysis.statistics import estimate_effective_sample
from harness.clock import NS_PER_MS


def of_blocks(blocks: list[list[int]]) -> Series:
    """A series with a block for each list of intended times in ms."""
    parts = []
    for times_ms in blocks:
        part = Series()
        when = np.array(times_ms, dtype=np.int64) * NS_PER_MS
        part.add(when, np.full(len(when), 5 * NS_PER_MS))
        parts += part.chunks()
    return Series.from_chunks(parts)


@given(st.lists(st.lists(st.integers(0, 9_000), max_size=6), max_size=5), st.integers(1, 9_001))
def test_a_cut_series_knows_its_signals(blocks: list[list[int]], end_ms: int) -> None:
    """Wherever it is cut: number, first and last are those of the signals that are left."""
    left = [at_ms for block in blocks for at_ms in block if at_ms < end_ms]
    cut = of_blocks(blocks).before(end_ms)
    assert len(cut) == len(left)
    assert len(cut.with_overflow(cut)) == len(left)
    if left:
        assert cut.span_ms() == (min(left), max(left))
        assert estimate_effective_sample(cut, 99.0).effective_size <= len(left)


def test_a_block_after_the_cut_is_left_out() -> None:
    """An early analysis of a load of more signals than a block holds."""
    cut = of_blocks([[0, 10], [5_000, 5_010]]).before(1_000)
    assert cut.span_ms() == (0, 10)
    assert estimate_effective_sample(cut, 99.0).effective_size > 0
