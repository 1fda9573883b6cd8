"""The lattice of verdicts, and how a limit is decided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.histogram import Histogram
from harness.analysis.statistics import ConfidenceInterval, EffectiveSample, percentile_interval
from harness.errors import Exit
from harness.judge.decision import decide
from harness.judge.verdict import Verdict, worst

VERDICTS = st.sampled_from(Verdict)
MS = 1_000_000
MINUTE_NS = 60_000 * MS


@given(VERDICTS, VERDICTS, VERDICTS)
def test_join_is_a_semilattice(a: Verdict, b: Verdict, c: Verdict) -> None:
    """Commutative, associative, idempotent; PASS is neutral and FAIL absorbs."""
    assert a | b is b | a
    assert (a | b) | c is a | (b | c)
    assert a | a is a
    assert a | Verdict.PASS is a
    assert a | Verdict.FAIL is Verdict.FAIL


@given(st.lists(VERDICTS))
def test_worst_does_not_depend_on_order(verdicts: list[Verdict]) -> None:
    """The worst of a list is the worst of its reverse, and one of them or PASS."""
    assert worst(verdicts) is worst(reversed(verdicts))
    assert worst(verdicts) in (*verdicts, Verdict.PASS)


def test_order_and_exit_codes() -> None:
    """FAIL > INVALID > INCONCLUSIVE > PASS, with the exit codes of every command."""
    order = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.INVALID, Verdict.FAIL]
    for number, verdict in enumerate(order):
        assert worst(order[: number + 1]) is verdict
    assert [verdict.exit_code for verdict in order] == [
        Exit.PASS,
        Exit.INCONCLUSIVE,
        Exit.INVALID,
        Exit.FAIL,
    ]


def interval_of(
    lower_ns: int | None, upper_ns: int | None, size: int = 1_000
) -> ConfidenceInterval:
    """A P99 of 400 ms with these bounds."""
    return ConfidenceInterval(
        99.0, 400 * MS, lower_ns, upper_ns, EffectiveSample(1_000, size, 50, True)
    )


HISTOGRAM = Histogram.of(np.arange(1, 1_001) * MS // 2)


@pytest.mark.parametrize(
    ("lower_ms", "upper_ms", "verdict"),
    [
        (300, 499, Verdict.PASS),
        (300, 500, Verdict.INCONCLUSIVE),
        (499, 600, Verdict.INCONCLUSIVE),
        (500, 600, Verdict.FAIL),
        (None, None, Verdict.INCONCLUSIVE),
        (None, 400, Verdict.PASS),
        (600, None, Verdict.FAIL),
        (400, None, Verdict.INCONCLUSIVE),
    ],
)
def test_three_ways(lower_ms: int | None, upper_ms: int | None, verdict: Verdict) -> None:
    """PASS only wholly below the limit, FAIL only wholly at or above it."""
    lower_ns = None if lower_ms is None else lower_ms * MS
    upper_ns = None if upper_ms is None else upper_ms * MS
    assert (
        decide(interval_of(lower_ns, upper_ns), 500 * MS, HISTOGRAM, MINUTE_NS).verdict is verdict
    )


def test_too_few_signals_say_how_many_more() -> None:
    """100 signals in a minute need about two minutes more for a bound on P99."""
    histogram = Histogram.of(np.full(100, 10 * MS))
    found = percentile_interval(histogram, 99.0, EffectiveSample(100, 100, 0, True))
    assert found is not None
    decision = decide(found, 500 * MS, histogram, MINUTE_NS)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.longer_ns is not None
    assert 1.9 * MINUTE_NS < decision.longer_ns < 2.1 * MINUTE_NS


def test_at_the_limit_no_length_would_tell() -> None:
    """A percentile that lies at its limit stays undecided, however long the run."""
    durations = np.concatenate((np.full(990, 10 * MS), np.full(10, 900 * MS)))
    histogram = Histogram.of(durations)
    found = percentile_interval(histogram, 99.0, EffectiveSample(1_000, 1_000, 0, True))
    assert found is not None
    decision = decide(found, 500 * MS, histogram, MINUTE_NS)
    assert (decision.verdict, decision.longer_ns) == (Verdict.INCONCLUSIVE, None)
