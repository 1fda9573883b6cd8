"""One-sided bounds of a share, such as that of rejected signals or of late sends.

Interval: Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of
the binomial, Biometrika 26 (1934), over the effective sample size, with marks scaled alike, as Korn
and Graubard do it for correlated samples (Survey Methodology 24, 1998). No mark among n independent
values gives the upper bound 1 - (1 - confidence)^(1/n).

Effective sample size: marks come in bursts. It is estimated by batch means of the indicator
"marked", as for the indicator "above the quantile" in `statistics`. A run without any mark gives no
estimate of bursts, so its bound is that of independent signals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from harness.analysis.series import Series
from harness.analysis.statistics import CONFIDENCE, EffectiveSample, batch_means

# Steps in which signals without known times are counted, so that memory is bounded.
_STEPS_MAX = 10_000
_LOWEST_BIN = 0


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """One-sided bounds of a share, each with the stated confidence.

    Attributes:
        estimate: marked signals over all, 0..1.
        lower: the share is at or above it; 0 without a bound.
        upper: the share is at or below it; 1 without a bound.
        effective: sample size of both bounds.
        confidence: of each bound.
    """

    estimate: float
    lower: float
    upper: float
    effective: EffectiveSample
    confidence: float = CONFIDENCE


def share_interval(
    marked: int, effective: EffectiveSample, confidence: float = CONFIDENCE
) -> ShareInterval:
    """The interval of a share.

    Args:
        marked: marked signals, 0 <= marked <= effective.signals, which is at least 1.
        effective: sample size of all signals.
        confidence: of each bound, 0..1.

    Raises:
        ValueError: there is no signal.
    """
    if not effective.signals:
        raise ValueError("a share of no signal")
    estimate = marked / effective.signals
    # Where batches are autocorrelated, each is one value at most, and there is no upper bound.
    known = effective.decorrelated
    size = max(
        1, effective.effective_size if known else min(effective.effective_size, effective.batches)
    )
    hits = estimate * size
    lower = float(betaincinv(hits, size - hits + 1, 1 - confidence)) if marked else 0.0
    upper = 1.0
    if known and marked < effective.signals:
        upper = float(betaincinv(hits + 1, size - hits, confidence))
    return ShareInterval(estimate, lower, upper, effective, confidence)


def estimate_share_sample(series: Series, marks: Series) -> EffectiveSample:
    """Effective sample size of the share of marked signals.

    Args:
        series: all signals in the order of time.
        marks: the marked ones; a part of `series`.
    """
    signals, marked = len(series), len(marks)
    if marked in (0, signals):
        return EffectiveSample(signals, signals, 0, True)
    start_ms, end_ms = series.span_ms()
    span_ms = end_ms - start_ms + 1

    def batches(width_ms: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        number = -(-span_ms // width_ms)
        return tuple(  # type: ignore[return-value]  # of two series
            one.batches(start_ms, width_ms, number, _LOWEST_BIN)[0] for one in (series, marks)
        )

    return batch_means(signals, marked / signals, span_ms, batches)


def estimate_tail_sample(signals: int, marked: int) -> EffectiveSample:
    """The same for marks that are all at the end, such as signals not sent in time.

    The positions of signals that were never attempted are unknown: one burst is the worst case.

    Args:
        signals: all of them, in order; at least 1.
        marked: the last ones, 0 <= marked <= signals.
    """
    if marked in (0, signals):
        return EffectiveSample(signals, signals, 0, True)
    steps = min(signals, _STEPS_MAX)
    edges = np.arange(steps + 1, dtype=np.int64) * signals // steps
    beyond = np.maximum(edges - (signals - marked), 0)

    def batches(width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        at = np.append(np.arange(0, steps, width), steps)
        return np.diff(edges[at]), np.diff(beyond[at])

    return batch_means(signals, marked / signals, steps, batches)


def signals_needed(limit: float, confidence: float = CONFIDENCE) -> float:
    """Least number of independent signals that bound a share below a limit; inf for a limit of 0.

    299 for 1 %, if none of them is marked.
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - limit)) if limit > 0 else math.inf
