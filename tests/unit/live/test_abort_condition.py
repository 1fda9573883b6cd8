"""An abort condition fails only when the judge will find the same; never before it is certain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.series import Series
from harness.analysis.sliding_windows import WindowGrid, count_windows
from harness.contract.names import State
from harness.run.live.abort_condition import (
    SLACK_NS,
    ObjectiveCondition,
    abort_conditions_of,
    first_failed,
)
from harness.scenario import SLO, Load, Scenario, Stage

MS = 1_000_000
S = 1_000 * MS
T0_NS = 77 * S
NEVER_MS = 1_000_000
LOAD = Load(
    stages=(Stage(agents=1, rate_from=100.0, rate_to=100.0, duration_s=20.0),), warmup_s=1.0
)
END_NS = T0_NS + 60 * S

Signals = list[tuple[int, int]]


def condition_after(
    text: str, signals: Signals, *, delay_s: float = 0.0, mode: int = 0
) -> ObjectiveCondition:
    """A condition that has received signals: due time and latency of each in ms."""
    condition = ObjectiveCondition(
        SLO(objective=text, abort_on_fail=True, abort_delay_s=delay_s), LOAD, T0_NS
    )
    rows = np.array(signals, dtype=np.int64).reshape(-1, 2) * MS
    intended, seen = T0_NS + rows[:, 0], T0_NS + rows.sum(axis=1)
    modes = np.full(len(rows), mode, dtype=np.uint8)
    condition.due(intended, modes)
    arrived = rows[:, 1] < NEVER_MS * MS
    states = np.full(len(rows), State.SIMULATED, dtype=np.uint8)
    condition.final(intended[arrived], modes[arrived], seen[arrived], states[arrived])
    return condition


def even(took_ms: int = 10, *, slow: range = range(0), slow_ms: int = 700) -> Signals:
    """100 signals/s for 21 s, warm-up included; some of them slow."""
    return [(n * 10, slow_ms if n in slow else took_ms) for n in range(2_100)]


def test_windows_trip_when_their_signals_are_certain() -> None:
    """A stall from 10 s on breaks its window; before that window is over it does not fail."""
    condition = condition_after("p99 over any 2 s < 500 ms", even(slow=range(1_000, 1_030)))
    assert condition.failed(T0_NS + 10 * S) is None
    reason = condition.failed(END_NS)
    assert reason is not None
    assert reason.startswith("p99 over any 2 s < 500 ms: ")
    again = condition_after("p99 over any 2 s < 500 ms", even(slow=range(1_000, 1_030)))
    # The first window that breaks it ends with the third slow signal, at 10.03 s at the earliest.
    before_ns = T0_NS + 10 * S + 500 * MS + SLACK_NS
    assert again.failed(before_ns) is None
    assert again.failed(before_ns + 200 * MS) is not None


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, 21_500), st.sampled_from([5, 400, 600, NEVER_MS])),
        min_size=1,
        max_size=150,
    ),
    st.sampled_from([50.0, 90.0]),
    st.lists(st.integers(0, 60_000), max_size=6),
)
def test_it_trips_in_the_end_just_when_the_census_fails(
    signals: Signals, percentile: float, polls_ms: list[int]
) -> None:
    """The number of polls in between changes nothing: the same windows, the same answer."""
    limit_ns, window_ns = 500 * MS, 2 * S
    condition = condition_after(f"p{percentile:g} over any 2 s < 500 ms", signals)
    tripped = any(condition.failed(T0_NS + poll * MS) for poll in sorted(polls_ms))
    tripped = tripped or condition.failed(END_NS) is not None
    series = Series()
    rows = np.array([row for row in signals if 1_000 <= row[0] < 21_000], dtype=np.int64)
    rows = rows.reshape(-1, 2) * MS
    series.add(rows[:, 0], rows[:, 1])
    grid = WindowGrid.of(LOAD.measured_stretches_ns(), window_ns)
    assert tripped == (count_windows(series, grid, percentile, limit_ns).at_limit > 0)


def test_delay_and_warmup_hold_it_back() -> None:
    """Slow signals of the warm-up do not count, and it does not fail before the delay is over."""
    assert condition_after("max < 500 ms", even(slow=range(100))).failed(END_NS) is None
    condition = condition_after("max < 500 ms", even(slow=range(200, 210)), delay_s=9.5)
    assert condition.failed(T0_NS + 10 * S) is None
    assert condition.failed(T0_NS + 11 * S) == "max < 500 ms: 10 of 700 signals broke it"


@pytest.mark.parametrize("objective", ["p99 < 500 ms", "p99 over any 2 s < 500 ms", "max < 1 s"])
def test_a_rejection_that_nothing_excuses_trips_it(objective: str) -> None:
    """A twentieth is refused at once: quick to refuse is not quick to arrive."""
    condition = condition_after(
        objective, [(n * 10, NEVER_MS if n % 20 == 0 else 10) for n in range(2_100)]
    )
    intended = T0_NS + np.arange(0, 2_100, 20, dtype=np.int64) * 10 * MS
    modes = np.zeros(len(intended), dtype=np.uint8)
    states = np.full(len(intended), State.SIMULATION_TIMEOUT, dtype=np.uint8)
    condition.final(intended, modes, intended + MS, states)
    assert condition.failed(END_NS) is not None


def test_signals_that_never_come_trip_it_and_stale_ones_do_not() -> None:
    """Whoever is not there in time has broken the limit; stale data may have an excuse."""
    silent = [(n * 10, NEVER_MS) for n in range(2_100)]
    assert condition_after("p99 < 500 ms", silent).failed(END_NS) is not None
    condition = condition_after("p99 < 500 ms", silent)
    intended = T0_NS + np.arange(2_100, dtype=np.int64) * 10 * MS
    states = np.full(2_100, State.STALE_DATA_ERROR, dtype=np.uint8)
    condition.final(intended, np.zeros(2_100, dtype=np.uint8), intended + MS, states)
    assert condition.failed(END_NS) is None


@pytest.mark.parametrize(
    ("share", "trips"), [(0.0, False), (0.009, False), (0.015, False), (0.2, True), (1.0, True)]
)
def test_percentile_of_the_whole_trips_only_when_it_is_plain(share: float, trips: bool) -> None:
    """A little above the allowed share is for the judgement; far above is a lost cause."""
    slow = np.random.default_rng(3).random(2_100) < share
    signals = [(n * 10, 700 if slow[n] else 10) for n in range(2_100)]
    assert (condition_after("p99 < 500 ms", signals).failed(END_NS) is not None) == trips


def test_one_stall_does_not_trip_the_percentile_of_the_whole() -> None:
    """Slow signals that come in one bunch are worth few independent ones."""
    assert condition_after("p99 < 500 ms", even(slow=range(1_000, 1_100))).failed(END_NS) is None


def test_modes_are_watched_apart() -> None:
    """An objective on one mode does not see the other."""
    slow = even(700)
    assert condition_after("full max < 500 ms", slow, mode=0).failed(END_NS) is None
    assert condition_after("full max < 500 ms", slow, mode=1).failed(END_NS) is not None
    assert condition_after("max < 500 ms", slow, mode=1).failed(END_NS) is not None


def test_only_objectives_that_may_end_the_run_are_conditions() -> None:
    """The reason is that of the first that fails."""
    scenario = Scenario(
        name="watched",
        about="x",
        load=LOAD,
        objectives=(
            "p99 < 1 ms",
            SLO(objective="max < 1 ms", abort_on_fail=True),
            SLO(objective="p50 < 1 ms", abort_on_fail=False),
        ),
    )
    wires = abort_conditions_of(scenario, T0_NS)
    assert len(wires) == 1
    assert first_failed(wires, END_NS) is None
    wires[0].due(np.array([T0_NS + 2 * S]), np.zeros(1, dtype=np.uint8))
    assert first_failed(wires, END_NS) == "max < 1 ms: 1 of 1 signals broke it"
