"""Recovery is counted from what happened until nothing is overdue any more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.faults.recovery import (
    Recovery,
    RecoveryRecorder,
    Times,
    backlog_end_ms,
    normal_time_ms,
)
from harness.analysis.samples import SAMPLE, Samples, SignalOutcome
from harness.contract.names import State

MS = 1_000_000
S = 1_000 * MS
T0_NS = 50 * S
END_MS = 30_000
NORMAL_MS = 21


def steady(every_ms: int = 10, took_ms: int = 20) -> tuple[Times, Times]:
    """Signals of a calm run of 20 s."""
    intended = np.arange(0, 20_000, every_ms, dtype=np.uint32)
    return intended, (intended + took_ms).astype(np.uint32)


def held_up(intended: Times, final: Times, begin_ms: int, end_ms: int) -> Times:
    """Nothing becomes final between two moments; then everything at once."""
    inside = (final > begin_ms) & (final < end_ms)
    return np.where(inside, end_ms, final).astype(np.uint32)


def gone_by_brute_force(
    intended: Times, final: Times, at_ms: int, normal_ms: int, end_ms: int
) -> int | None:
    """By looking at every millisecond."""
    overdue = np.zeros(end_ms + normal_ms + 2_000, dtype=np.bool_)
    for begin, end in zip(intended.tolist(), final.tolist(), strict=True):
        overdue[begin + normal_ms : end] = True
    calm = normal_ms + 1_000
    for moment in range(at_ms, end_ms):
        if not overdue[moment : moment + calm].any():
            return moment - at_ms
    return None


def test_calm_run_has_recovered_at_once() -> None:
    """Nothing overdue after the disturbance: no time is taken."""
    intended, final = steady()
    assert normal_time_ms(intended, final, 10_000) == NORMAL_MS
    assert backlog_end_ms(intended, final, 10_000, NORMAL_MS, END_MS) == 0


def test_outage_lasts_until_the_backlog_is_gone() -> None:
    """An outage of 3 s from the disturbance on is a recovery of 3 s."""
    intended, final = steady()
    final = held_up(intended, final, 10_000, 13_000)
    assert backlog_end_ms(intended, final, 10_000, NORMAL_MS, END_MS) == 3_000


def test_part_that_is_stuck_while_the_rest_goes_on_counts() -> None:
    """Half of the workers die: the others go on at once, and their entries come 5 s later."""
    intended, final = steady()
    stuck = (intended > 9_990) & (intended < 10_100)
    final[stuck] = 15_000
    assert backlog_end_ms(intended, final, 10_000, NORMAL_MS, END_MS) == 5_000


def test_later_trouble_is_not_of_this_disturbance() -> None:
    """After a calm, something slow belongs to something else."""
    intended, final = steady()
    final = held_up(intended, final, 10_000, 10_400)
    final = held_up(intended, final, 14_000, 16_000)
    assert backlog_end_ms(intended, final, 10_000, NORMAL_MS, END_MS) == 400


def test_signal_that_never_arrives_is_no_recovery() -> None:
    """What is overdue to the end has not recovered."""
    intended, final = steady()
    final[1_005] = END_MS
    assert backlog_end_ms(intended, final, 10_000, NORMAL_MS, END_MS) is None
    assert backlog_end_ms(intended, final, 8_000, NORMAL_MS, END_MS) == 0


def test_too_few_signals_tell_no_normal_time() -> None:
    """A disturbance at the beginning cannot be held against anything."""
    intended, final = steady()
    assert normal_time_ms(intended, final, 500) is None


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 4_000)), max_size=25),
    st.integers(0, 5_000),
    st.integers(1, 300),
)
def test_backlog_is_that_of_every_millisecond(
    signals: list[tuple[int, int]], at_ms: int, normal_ms: int
) -> None:
    """The quick way and the plain one agree, in whatever order signals come."""
    end_ms = 10_000
    rows = np.array(signals, dtype=np.uint32).reshape(-1, 2)
    intended, final = rows[:, 0], rows[:, 0] + rows[:, 1]
    expected = gone_by_brute_force(intended, final, at_ms, normal_ms, end_ms)
    assert backlog_end_ms(intended, final, at_ms, normal_ms, end_ms) == expected
    assert backlog_end_ms(intended[::-1], final[::-1], at_ms, normal_ms, end_ms) == expected


def samples_of(intended: Times, final: Times) -> Samples:
    """Samples of signals that were all simulated."""
    samples: Samples = np.zeros(len(intended), dtype=SAMPLE)
    samples["intended_ns"] = T0_NS + intended.astype(np.int64) * MS
    samples["seen_ns"] = T0_NS + final.astype(np.int64) * MS
    samples["state"] = State.SIMULATED
    samples["signal_outcome"] = SignalOutcome.SIMULATED
    return samples


def tallied(*parts: Samples, at_ms: int = 10_000) -> Recovery:
    """What the tally makes of samples in parts."""
    tally = RecoveryRecorder(T0_NS, T0_NS + END_MS * MS, [T0_NS + at_ms * MS])
    for part in parts:
        tally.add(part)
    return tally.recoveries()[0]


@pytest.mark.parametrize("cut", [0, 700, 1_500])
def test_tally_is_the_same_in_any_parts(cut: int) -> None:
    """First signal and backlog, whatever chunks the samples come in."""
    intended, final = steady()
    samples = samples_of(intended, held_up(intended, final, 10_000, 13_000))
    found = tallied(samples[cut:], samples[:cut])
    assert (found.first_ns, found.backlog_ns) == (3_000 * MS, 3_000 * MS)
    assert found.normal_ns == NORMAL_MS * MS
    assert found.watched_ns == 20 * S


def test_refused_signals_are_no_backlog() -> None:
    """Redis was away: what it never took the system cannot owe."""
    samples = samples_of(*steady())
    samples["seen_ns"][1_005:1_200] = 0
    samples["state"][1_005:1_200] = 0
    samples["signal_outcome"][1_005:1_200] = SignalOutcome.REFUSED
    assert tallied(samples).backlog_ns == 0
    samples["signal_outcome"][1_005:1_200] = SignalOutcome.LOST
    assert tallied(samples).backlog_ns is None


def test_rejections_are_final_but_no_sign_of_life() -> None:
    """The first signal must be SIMULATED; a rejection only ends its own waiting."""
    samples = samples_of(*steady())
    refused = samples["intended_ns"] >= T0_NS + 10 * S
    refused &= samples["intended_ns"] < T0_NS + 12 * S
    samples["state"][refused] = State.STALE_DATA_ERROR
    samples["signal_outcome"][refused] = SignalOutcome.REJECTED
    found = tallied(samples)
    assert (found.first_ns, found.backlog_ns) == (2_020 * MS, 0)


def test_without_a_disturbance_nothing_is_kept() -> None:
    """A quiet run pays nothing."""
    tally = RecoveryRecorder(T0_NS, T0_NS + S, [])
    tally.add(samples_of(*steady()))
    assert tally.recoveries() == ()
