"""The judge of a calibration must itself be able to fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.clock import NS_PER_MS
from tests.studies.bench.calibration import judge
from tests.studies.bench.calibration_truth import Matched, Reported, quantiles_ms

COUNT = 2000
LATENCY_NS = np.linspace(5 * NS_PER_MS, 2000 * NS_PER_MS, COUNT).astype(np.int64)
WIDTH_NS = NS_PER_MS // 2


def matched(shift_ns: int = 0) -> Matched:
    """Signals due at 0 whose bracket is off by `shift_ns`."""
    return Matched(
        intended_ns=np.zeros(COUNT, dtype=np.int64),
        before_ns=LATENCY_NS,
        after_ns=LATENCY_NS + WIDTH_NS,
        committed_ns=LATENCY_NS + WIDTH_NS // 4 + shift_ns,
        seen_ns=LATENCY_NS + WIDTH_NS + shift_ns,
        clock_error_ns=0,
        unseen=0,
    )


def reported(of: Matched) -> Reported:
    """What a harness without buckets would report."""
    return Reported(
        quantiles_ms(of.committed_ns - of.intended_ns), quantiles_ms(of.seen_ns - of.intended_ns)
    )


def test_true_bracket_passes() -> None:
    """A bracket around the commit is accepted."""
    found = matched()
    verdicts = judge(found, reported(found))
    assert verdicts.passed
    assert found.contradictions == 0


@pytest.mark.parametrize("shift_ms", [-30, 30])
def test_shifted_bracket_fails(shift_ms: int) -> None:
    """A clock that is off is noticed, for each signal and in each percentile."""
    found = matched(shift_ms * NS_PER_MS)
    verdicts = judge(found, reported(found))
    assert not verdicts.passed
    assert verdicts.holds == (False,) * 4
    assert found.contradictions == COUNT


def test_wide_bracket_fails() -> None:
    """A bracket may hold the truth and still be too wide to be of use."""
    found = matched()
    wide = Reported(reported(found).committed_ms, reported(found).seen_ms + 6)
    verdicts = judge(found, wide)
    assert all(verdicts.holds)
    assert not verdicts.passed


def test_coarse_truth_decides_nothing() -> None:
    """Where the log itself is vague, the distance from it is neither near nor far."""
    found = matched()
    vague = replace(found, after_ns=found.after_ns + 3 * NS_PER_MS, seen_ns=found.after_ns)
    verdicts = judge(vague, reported(vague))
    assert verdicts.lower_is_near[0] is True  # 1 % of the median is more than that
    short = replace(vague, intended_ns=vague.before_ns - NS_PER_MS)
    assert judge(short, reported(short)).lower_is_near == (None,) * 4


def test_self_made_percentiles_are_order_statistics() -> None:
    """No interpolation: each percentile is a value that occurred."""
    assert quantiles_ms(np.arange(1, 101) * NS_PER_MS).tolist() == [50.0, 99.0, 100.0, 100.0]
