"""Stages sum to the total, whatever times there are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.histogram import Values
from harness.analysis.latency_breakdown import CUTS, NOT_EXPOSED, LatencyBreakdownBuilder

TIMES = st.lists(
    st.tuples(
        st.integers(1, 10**12),
        st.integers(0, 10**9),
        st.one_of(st.just(None), st.integers(-(10**6), 10**9)),
        st.one_of(st.just(None), st.integers(-(10**6), 10**9)),
        st.one_of(st.just(None), st.integers(-(10**6), 10**9)),
        st.integers(0, 10**10),
    ),
    min_size=1,
    max_size=30,
)
Row = tuple[int, int, int | None, int | None, int | None, int]


def columns(rows: list[Row]) -> list[Values]:
    """The six times of each signal; an unknown one is zero."""
    table = [
        [start, start + sent, *(0 if part is None else start + part for part in rest), start + seen]
        for start, sent, *rest, seen in rows
    ]
    return [np.array(column, dtype=np.int64) for column in zip(*table, strict=True)]


@settings(max_examples=60)
@given(TIMES)
def test_stages_sum_to_the_total_exactly(rows: list[Row]) -> None:
    """The sums of the stages are the sum of the total, to the nanosecond."""
    builder = LatencyBreakdownBuilder()
    builder.add(*columns(rows))
    split = builder.split()
    assert split is not None
    assert sum(stage.histogram.sum_ns for stage in split.stages) == split.total.sum_ns
    assert {stage.histogram.count for stage in split.stages} == {split.total.count}
    assert split.arrived == len(rows) >= split.total.count
    ends = [split.stages[0].start, *(stage.end for stage in split.stages)]
    assert ends[0] == CUTS[0]
    assert ends[-1] == CUTS[-1]
    assert set(CUTS) == {*ends, *(name for stage in split.stages for name in stage.merged)}


def test_missing_cut_merges_its_neighbours_with_a_note() -> None:
    """Without commit times of INIT its two stages are one."""
    builder = LatencyBreakdownBuilder()
    builder.add(*columns([(100, 10, 20, None, 50, 70)] * 3))
    split = builder.split()
    assert split is not None
    merged = [(stage.start, stage.end) for stage in split.stages if stage.merged]
    assert merged == [("accepted by Redis", "SIMULATED committed")]
    assert split.notes == (
        "no time for 'INIT committed': its neighbours are merged",
        NOT_EXPOSED,
    )


def test_split_names_how_many_it_stands_for() -> None:
    """The cuts that most signals have are reported, with their share."""
    builder = LatencyBreakdownBuilder()
    builder.add(*columns([(100, 10, 20, 30, 50, 70)] * 3 + [(100, 10, 20, None, 50, 70)]))
    split = builder.split()
    assert split is not None
    assert len(split.stages) == 5
    assert "split over the 3 of 4 signals that have all times" in split.notes


def test_negative_stage_is_counted_and_keeps_its_part() -> None:
    """An answer that is read after the engine has begun makes a stage negative, not zero."""
    builder = LatencyBreakdownBuilder()
    builder.add(*columns([(1_000_000, 0, 900_000, 500_000, 5_000_000, 6_000_000)]))
    split = builder.split()
    assert split is not None
    picked_up = split.stages[2].histogram
    assert (picked_up.negative, picked_up.sum_ns) == (1, -400_000)


def test_nothing_arrived_nothing_to_split() -> None:
    """No signal, no split."""
    assert LatencyBreakdownBuilder().split() is None
