"""Throughput under saturation: how fast signals become SIMULATED while the system is never idle.

An interval of a second is saturated when at its start at least as many signals were in flight as
half of those that became SIMULATED in it: the engine did not wait for the load. The figure is the
mean over all saturated intervals of the measured load. The largest interval or window would be
larger by chance alone, the more so the more windows there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import t as t_distribution

from harness.analysis.measurement import ThroughputFigures
from harness.analysis.scaling.region import CONFIDENCE

SATURATED_MIN_S = 5.0
_BACKLOG_SHARE = 0.5
# Neighbouring seconds are correlated; the means of batches of seconds hardly are.
_BATCHES = 5


@dataclass(frozen=True, slots=True)
class SaturatedThroughput:
    """Signals/s that became SIMULATED while the system was saturated.

    Attributes:
        rate: mean, signals/s.
        lower, upper: t-interval of the mean from five batches of the time, within this run only:
            runs differ by more.
        saturated_s: length of the saturated intervals.
    """

    rate: float
    lower: float
    upper: float
    saturated_s: float


def saturated_seconds(
    seconds: Sequence[ThroughputFigures], spans_s: Sequence[tuple[float, float]]
) -> tuple[ThroughputFigures, ...]:
    """The saturated intervals of the measured load.

    Args:
        seconds: of the whole run, in order.
        spans_s: start and end of each measured part of the load, seconds after t0.
    """
    return tuple(
        now
        for before, now in pairwise(seconds)
        if any(
            start_s <= now.start_s and now.start_s + now.length_s <= end_s
            for start_s, end_s in spans_s
        )
        and now.simulated > 0
        and before.in_flight >= _BACKLOG_SHARE * now.simulated
    )


def saturated_throughput(
    seconds: Sequence[ThroughputFigures], spans_s: Sequence[tuple[float, float]]
) -> SaturatedThroughput | None:
    """The throughput under saturation; None where less than five seconds were saturated."""
    own = saturated_seconds(seconds, spans_s)
    saturated_s = sum(one.length_s for one in own)
    if len(own) < _BATCHES or saturated_s < SATURATED_MIN_S:
        return None
    rate = sum(one.simulated for one in own) / saturated_s
    rates = np.array([one.simulated / one.length_s for one in own])
    means = np.array([batch.mean() for batch in np.array_split(rates, _BATCHES)])
    quantile = float(t_distribution.ppf((1 + CONFIDENCE) / 2, _BATCHES - 1))
    half = quantile * float(means.std(ddof=1)) / math.sqrt(_BATCHES)
    return SaturatedThroughput(rate, max(rate - half, 0.0), rate + half, saturated_s)
