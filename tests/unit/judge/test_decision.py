"""How much longer to run, from the normal approximation of a binomial interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from harness.analysis.histogram import Histogram
from harness.analysis.statistics import ConfidenceInterval, EffectiveSample
from harness.judge.decision import Decision, decide
from harness.judge.verdict import Verdict

MS = 1_000_000
LIMIT_NS = 500 * MS
MINUTE_NS = 60_000 * MS


def undecided(below: int, total: int, size: int, *, decorrelated: bool = True) -> Decision:
    """The answer on a P90 that nothing bounds; so many signals lie below the limit."""
    durations = np.where(np.arange(total) < below, MS, 900 * MS)
    found = ConfidenceInterval(90.0, MS, None, None, EffectiveSample(total, size, 20, decorrelated))
    return decide(found, LIMIT_NS, Histogram.of(durations), MINUTE_NS)


def longer(factor: float) -> int:
    """How much longer a minute must be to be so many minutes."""
    return math.ceil((factor - 1) * MINUTE_NS)


@pytest.mark.parametrize(("below", "size"), [(890, 1_000), (910, 1_000), (930, 100), (880, 177)])
def test_sample_grows_until_its_interval_is_as_wide_as_the_distance(below: int, size: int) -> None:
    """The sample needed is z^2 p (1 - p) / d^2, with d the distance of the share from p."""
    found = undecided(below, 1_000, size)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.longer_ns is not None
    needed = norm.isf(0.05) ** 2 * 0.9 * 0.1 / (below / 1_000 - 0.9) ** 2
    assert needed / size > 1.2
    assert found.longer_ns == pytest.approx(longer(needed / size), rel=1e-3)


def test_sample_grows_to_what_a_bound_needs_at_least() -> None:
    """29 values bound a P90 from above, however far from the limit they lie."""
    assert undecided(1_000, 1_000, 10).longer_ns == longer(2.9)
    assert undecided(1_000, 1_000, 1).longer_ns == longer(29)
    assert undecided(1_000, 1_000, 0).longer_ns == longer(29)


def test_least_growth() -> None:
    """A fifth more, and twice as much where batches are still correlated."""
    assert undecided(1_000, 1_000, 1_000).longer_ns == longer(1.2)
    assert undecided(1_000, 1_000, 1_000, decorrelated=False).longer_ns == longer(2.0)


def test_growth_beyond_reason_is_not_proposed() -> None:
    """A hundred times as long is the most; a share at its percentile needs no finite length."""
    needed = norm.isf(0.05) ** 2 * 0.9 * 0.1 / 0.001**2
    assert undecided(9_010, 10_000, round(needed / 99.5)).longer_ns is not None
    assert undecided(9_010, 10_000, round(needed / 100.5)).longer_ns is None
    assert undecided(900, 1_000, 1_000).longer_ns is None
    # A P97.04 needs 100 values for a bound, a hundred times the one that there is.
    one = ConfidenceInterval(97.04, MS, None, None, EffectiveSample(1, 1, 1, True))
    assert decide(one, LIMIT_NS, Histogram.of([MS]), MINUTE_NS).longer_ns == longer(100)


def test_time_is_rounded_up() -> None:
    """A fifth of 8 ns is 2 ns, not 1."""
    found = ConfidenceInterval(90.0, MS, None, None, EffectiveSample(100, 100, 20, True))
    assert decide(found, LIMIT_NS, Histogram.of([MS] * 100), 8).longer_ns == 2
