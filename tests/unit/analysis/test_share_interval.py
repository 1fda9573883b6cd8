"""Bounds of a share, and the effective size of correlated marks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.analysis.series import Series
from harness.analysis.share_interval import (
    estimate_share_sample,
    estimate_tail_sample,
    share_interval,
    signals_needed,
)
from harness.analysis.statistics import EffectiveSample

MS = 1_000_000


def independent(signals: int) -> EffectiveSample:
    """As many as there are."""
    return EffectiveSample(signals, signals, 0, True)


@given(st.integers(1, 5_000), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_independent_signals_have_the_exact_interval(
    signals: int, share: float, confidence: float
) -> None:
    """That of Clopper and Pearson, each side at the confidence, as SciPy has it."""
    marked = round(share * signals)
    found = share_interval(marked, independent(signals), confidence)
    exact = binomtest(marked, signals).proportion_ci(2 * confidence - 1, method="exact")
    assert found.lower == pytest.approx(exact.low, abs=1e-9)
    assert found.upper == pytest.approx(exact.high, abs=1e-9)
    assert found.lower <= found.estimate <= found.upper


def test_no_mark_is_the_rule_of_three() -> None:
    """299 signals bound 1 %, 298 do not."""
    for signals, sure in ((299, True), (298, False)):
        found = share_interval(0, independent(signals))
        assert found.upper == pytest.approx(1 - 0.05 ** (1 / signals))
        assert (found.upper < 0.01) is sure
    assert signals_needed(0.01) == 299


def test_endless_correlation_gives_no_upper_bound() -> None:
    """No upper bound, and a lower one of as many signals as there are batches."""
    found = share_interval(500, EffectiveSample(1_000, 400, 10, False))
    assert found.upper == 1.0
    assert found.lower == pytest.approx(share_interval(5, independent(10)).lower)


def test_no_signal_has_no_share() -> None:
    """No signal gives no interval."""
    with pytest.raises(ValueError, match="no signal"):
        share_interval(0, independent(0))


def effective_size(bunch: int) -> int:
    """Effective size of 10,000 signals of which 2 % are marked, in bunches."""
    rng = np.random.default_rng(1)
    when = np.arange(10_000, dtype=np.int64) * 10 * MS
    marked = np.zeros(10_000, dtype=np.bool_)
    for first in rng.choice(10_000 // bunch, 200 // bunch, replace=False) * bunch:
        marked[first : first + bunch] = True
    series, marks = Series(), Series()
    series.add(when, when)
    marks.add(when[marked], when[marked])
    return estimate_share_sample(series, marks).effective_size


def test_bunches_count_as_one_signal_each() -> None:
    """Marks in bunches of 20 leave about a twentieth of the size; those alone nearly all."""
    assert effective_size(1) > 6_000
    assert 200 < effective_size(20) < 600


@given(st.integers(1, 50_000), st.floats(0, 1))
def test_a_tail_is_one_burst(signals: int, share: float) -> None:
    """However long it is, it has few independent marks; with none missed it has all."""
    marked = round(share * signals)
    found = estimate_tail_sample(signals, marked)
    assert found.signals == signals
    assert 0 < found.effective_size <= signals
    assert (
        estimate_tail_sample(signals, 0)
        == estimate_tail_sample(signals, signals)
        == independent(signals)
    )
    if signals >= 5_000 and 10 <= marked <= signals // 50:
        assert found.effective_size * marked / signals < 2


def test_share_of_a_part_by_hand() -> None:
    """The series of marks moved beyond the layout leaves the others as they are."""
    when = np.array([0, 1, 1, 2, 3], dtype=np.int64) * MS
    latency = np.array([5, 5, 5, 7, 9], dtype=np.int64) * MS
    whole, part = Series(), Series()
    whole.add(when, latency)
    part.add(when[[1, 4]], latency[[1, 4]])
    moved = whole.with_overflow(part)
    assert moved.histogram().overflow == 2
    assert len(moved) == 5
    rest = Series()
    rest.add(when[[0, 2, 3]], latency[[0, 2, 3]])
    left = moved.within_layout()
    assert left.histogram() == rest.histogram()
    assert sorted(np.concatenate([w for w, _ in left.chunks()]).tolist()) == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.booleans()), min_size=1))
def test_moving_a_part_beyond_keeps_every_signal(rows: list[tuple[int, int, bool]]) -> None:
    """Each signal stays in its time; as many as the part holds are beyond, the rest as before."""
    when, latency, chosen = (np.array(column) for column in zip(*rows, strict=True))
    when, latency = when.astype(np.int64) * MS, latency.astype(np.int64) * MS
    whole, part = Series(), Series()
    whole.add(when, latency)
    part.add(when[chosen], latency[chosen])
    moved = whole.with_overflow(part) if len(part) else whole
    expected = whole.histogram().without(part.histogram())
    assert np.array_equal(moved.histogram().counts, expected.counts)
    assert moved.histogram().overflow == chosen.sum()
    times = np.sort(np.concatenate([own for own, _ in moved.chunks()]))
    assert np.array_equal(times, np.sort(when) // MS)
