"""Blocks with and without a disturbance, and what the differences of their pairs say."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.paired_blocks import (
    PAIRS_MIN,
    TrialBlock,
    block_percentile,
    block_signal_count,
    estimate_effect,
    pairs_needed,
    plan_blocks,
)
from harness.analysis.series import Series
from harness.clock import NS_PER_MS, NS_PER_S

DIFFERENCES = st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=40)


@given(
    pairs=st.integers(1, 50),
    block_s=st.integers(2, 100),
    seed=st.integers(0, 2**63),
    start_s=st.integers(0, 100),
)
def test_blocks_follow_each_other_in_whole_pairs(
    pairs: int, block_s: int, seed: int, start_s: int
) -> None:
    """No gap, no overlap, and each pair has one of either kind."""
    blocks = plan_blocks(
        pairs, block_s * NS_PER_S, NS_PER_S, NS_PER_S // 2, seed, start_s * NS_PER_S
    )
    assert blocks[0].start_ns == start_s * NS_PER_S
    for before, after in itertools.pairwise(blocks):
        assert before.end_ns == after.start_ns
    for pair in range(pairs):
        own = [block for block in blocks if block.pair == pair]
        assert sorted(block.is_treatment for block in own) == [False, True]
        for block in own:
            assert block.counted_ns == block.start_ns + NS_PER_S
            assert block.counted_end_ns == block.end_ns - NS_PER_S // 2
    assert blocks == plan_blocks(
        pairs, block_s * NS_PER_S, NS_PER_S, NS_PER_S // 2, seed, start_s * NS_PER_S
    )


def test_the_order_within_pairs_is_drawn() -> None:
    """Neither kind comes first always."""
    blocks = plan_blocks(40, NS_PER_S, 0, 0, 1, 0)
    firsts = [block.is_treatment for block in blocks[::2]]
    assert 5 < sum(firsts) < 35


@given(DIFFERENCES, st.randoms())
def test_the_order_of_pairs_changes_nothing(values: list[int], chance: random.Random) -> None:
    """The change is a function of the set of differences."""
    mixed = values[:]
    chance.shuffle(mixed)
    assert estimate_effect(values) == estimate_effect(mixed)


@given(DIFFERENCES, st.integers(-(10**9), 10**9))
def test_a_shift_shifts_everything(values: list[int], shift: int) -> None:
    """As much later in every pair is as much later in the estimate and both bounds."""
    plain, shifted = estimate_effect(values), estimate_effect([value + shift for value in values])
    assert shifted.estimate_ns == pytest.approx(plain.estimate_ns + shift, abs=1)
    for before, after in (
        (plain.lower_ns, shifted.lower_ns),
        (plain.upper_ns, shifted.upper_ns),
    ):
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            assert after == pytest.approx(before + shift, abs=1)


@given(DIFFERENCES)
def test_the_estimate_lies_between_the_bounds(values: list[int]) -> None:
    """And there are bounds from five pairs on."""
    change = estimate_effect(values)
    assert (change.lower_ns is None) == (len(values) < PAIRS_MIN)
    if change.lower_ns is not None and change.upper_ns is not None:
        assert change.lower_ns <= change.estimate_ns <= change.upper_ns


@pytest.mark.parametrize("count", range(PAIRS_MIN, 11))
def test_a_bound_errs_no_more_often_than_stated(count: int) -> None:
    """Of all signs that chance may give to distinct differences: at most 5 % above zero, exactly.

    And not far fewer: the next Walsh average would be wrong too often.
    """
    sizes = [2.0**number for number in range(count)]
    wrong = 0
    for signs in itertools.product((-1, 1), repeat=count):
        lower = estimate_effect([round(s * v) for s, v in zip(signs, sizes, strict=True)]).lower_ns
        assert lower is not None
        wrong += lower > 0
    assert wrong / 2**count <= 0.05
    assert wrong / 2**count > 0.02


def test_known_interval() -> None:
    """Differences 1 to 6: P(T <= 2) = 3/64 is within 5 %, so the third mean from either end."""
    change = estimate_effect([1, 2, 3, 4, 5, 6])
    assert (change.lower_ns, change.estimate_ns, change.upper_ns) == (2.0, 3.5, 5.0)


def test_more_pairs_for_a_closer_limit() -> None:
    """What is far from the limit needs few pairs, what is near many, what is on it none will do."""
    values = [10, 12, 9, 11, 10, 13, 8, 10]
    far, near = pairs_needed(values, 100), pairs_needed(values, 11)
    assert far == len(values) + 1
    assert near is not None
    assert near > far
    assert pairs_needed([5] * 3, 10) == PAIRS_MIN
    assert pairs_needed([10] * 6, 10) is None


def test_the_beginning_of_a_block_does_not_count() -> None:
    """Nor do its neighbours: only signals intended in its counted part are in its percentile."""
    series = Series()
    when = np.array([500, 1_500, 1_900, 2_500], dtype=np.int64) * NS_PER_MS
    durations = np.array([900, 10, 20, 800], dtype=np.int64) * NS_PER_MS
    series.add(when, durations)
    block = TrialBlock(0, True, 0, 3 * NS_PER_S, NS_PER_S, 2 * NS_PER_S)
    assert block_signal_count(series, [block]) == 2
    found = block_percentile(series, [block], 99)
    assert found is not None
    assert found == pytest.approx(20 * NS_PER_MS, rel=0.01)
    empty = TrialBlock(0, True, 10 * NS_PER_S, 13 * NS_PER_S, 11 * NS_PER_S, 12 * NS_PER_S)
    assert block_percentile(series, [empty], 99) is None
