"""What is told by the second adds up to what is told of the run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.phase_timeline import Timeline
from harness.analysis.samples import SAMPLE, Samples, SignalOutcome
from harness.analysis.throughput_series import (
    THROUGHPUT_INTERVALS_MAX,
    ThroughputInterval,
    ThroughputRecorder,
)
from harness.contract.names import State
from harness.evidence.records import PushStatus
from harness.scenario import Phase
from tests.unit.analysis.evidence import MS, S, healthy, load_of
from tests.unit.analysis.test_matching import STORIES, Story, gathered, told

T0_NS = 50 * S
LINE = Timeline(t0_ns=T0_NS, edges_ns=(0, 10 * S), phases=(Phase.MEASURE,))


def sample(intended_ms: int, **given_ms: int) -> Samples:
    """A signal; times are ms after t0, of which those not given are not known."""
    one = np.zeros(1, dtype=SAMPLE)
    one["intended_ns"] = T0_NS + intended_ms * MS
    for name, value in given_ms.items():
        one[f"{name}_ns"] = T0_NS + value * MS
    one["outcome"], one["state"], one["signal_outcome"] = (
        PushStatus.ACCEPTED,
        State.SIMULATED,
        SignalOutcome.SIMULATED,
    )
    return one


def seconds_of(*samples: Samples, end_s: float = 12.0) -> tuple[ThroughputInterval, ...]:
    """The seconds of a load of 10 s, watched for a while longer."""
    tally = ThroughputRecorder(LINE, T0_NS + round(end_s * S))
    for one in samples:
        tally.add(one)
    return tally.intervals()


@settings(max_examples=60, deadline=None)
@given(
    stories=st.lists(STORIES, min_size=1, max_size=12),
    drain_elapsed=st.booleans(),
    chunk=st.integers(1, 9),
    data=st.data(),
)
def test_sums_are_those_of_the_account(
    stories: list[Story], drain_elapsed: bool, chunk: int, data: st.DataObject
) -> None:
    """Each column sums to the account's figure, and what is left open is what never ended."""
    delays_ms = data.draw(
        st.lists(st.integers(0, 900), min_size=len(stories), max_size=len(stories))
    )
    found = gathered(told(stories, drain_elapsed=drain_elapsed, delays_ms=delays_ms), chunk=chunk)
    account, seconds = found.signals.outcomes(), found.signals.throughput
    assert sum(one.intended for one in seconds) == account.attempted
    assert sum(one.sent for one in seconds) == account.attempted
    assert sum(one.accepted for one in seconds) == account.accepted
    assert sum(one.simulated for one in seconds) == account.arrived - account.unseen
    unanswered = sum(
        story.answer is None and not story.seen and story.row is None for story in stories
    )
    open_at_end = account.of(SignalOutcome.LOST) + account.of(SignalOutcome.IN_FLIGHT) + unanswered
    unseen_final = sum(_ended_unseen(story) for story in stories)
    assert seconds[-1].in_flight == open_at_end + unseen_final


def _ended_unseen(story: Story) -> bool:
    """Final in the table only, and not refused by Redis."""
    seen = any(state is not State.INIT for state in story.seen)
    final = story.row not in (None, State.INIT, State.OTHER)
    return final and not seen and story.answer is not PushStatus.REFUSED


def test_each_count_goes_by_its_own_time() -> None:
    """A signal due in one second, sent in the next, and seen two later stands in three of them."""
    seconds = seconds_of(sample(900, sent=1_100, acked=2_050, seen=4_500))
    rows = {
        int(one.start_s): (one.intended, one.sent, one.accepted, one.simulated, one.in_flight)
        for one in seconds
    }
    assert rows[0] == (1, 0, 0, 0, 0)
    assert rows[1] == (0, 1, 0, 0, 1)
    assert rows[2] == (0, 0, 1, 0, 1)
    assert rows[4] == (0, 0, 0, 1, 0)
    assert len(seconds) == 12


def test_lateness_is_that_of_the_signals_due_in_the_second() -> None:
    """Maximum exact, percentile a little above the truth and only where there are enough."""
    many = np.concatenate([sample(2_000 + i, sent=2_000 + i + i % 100) for i in range(900)])
    seconds = seconds_of(many, sample(5_100, sent=5_107))
    assert seconds[2].lateness_max_ns == 99 * MS
    p99_ns = seconds[2].lateness_p99_ns or 0
    assert 98 * MS <= p99_ns <= 98 * MS * 1.008
    assert (seconds[5].lateness_p99_ns, seconds[5].lateness_max_ns) == (None, 7 * MS)
    assert seconds[6].lateness_max_ns is None


def test_lateness_below_zero_and_beyond_the_layout_is_told() -> None:
    """A generator that is early shows as such, and one that is hours late too."""
    hours = 2 * 3_600_000
    seconds = seconds_of(sample(100, sent=95), sample(1_100, sent=1_100 + hours))
    assert seconds[0].lateness_max_ns == -5 * MS
    assert seconds[1].lateness_max_ns == hours * MS


def test_rows_are_bounded_and_nothing_is_left_out() -> None:
    """A drain of days is in the last stretch, whose length says so."""
    late = sample(100, sent=200, acked=300, seen=5_000_000)
    seconds = seconds_of(late, end_s=6_000.0)
    assert len(seconds) == THROUGHPUT_INTERVALS_MAX
    assert sum(one.simulated for one in seconds) == 1
    assert seconds[-1].start_s + seconds[-1].length_s == pytest.approx(6_000.0)


def test_refused_ones_are_not_in_flight() -> None:
    """What Redis refused is over when it says so."""
    one = sample(100, sent=200, acked=1_300)
    one["outcome"], one["state"], one["signal_outcome"] = (
        PushStatus.REFUSED,
        0,
        SignalOutcome.REFUSED,
    )
    seconds = seconds_of(one)
    assert [row.in_flight for row in seconds[:3]] == [1, 0, 0]
    assert sum(row.accepted for row in seconds) == 0


def test_seconds_lie_beside_the_intervals() -> None:
    """Both have the same grid, so that a chart can lay one over the other."""
    found = gathered(healthy(load_of(duration_s=3.0)))
    assert [one.start_s for one in found.signals.throughput[:4]] == [0.0, 1.0, 2.0, 3.0]
    assert sum(one.intended for one in found.signals.throughput) == found.signals.attempted
