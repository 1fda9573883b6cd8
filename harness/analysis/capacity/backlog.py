"""Whether a backlog certainly grows: the system gets more than it can do.

A slope fitted to a backlog is significant far too often, because neighbouring values depend on each
other: near its limit the backlog of a stable queue moves like a random walk, and a random walk has
a significant slope in most windows (Granger and Newbold, Spurious regressions in econometrics,
Journal of Econometrics 2, 1974). So two tests on means of blocks must agree, each one-sided:

- the slope of the least-squares line, with the t-interval of its residuals;
- the mean change from block to block, which for a random walk without drift is 0 whatever the
  walk does in between. Means of blocks of a random walk have changes with a correlation of 1/4
  (Working, Note on the correlation of first differences of averages in a random chain,
  Econometrica 28, 1960), so that the variance of their sum is 1.5 times that of independent ones.

The window of at least 30 s is GuideLLM's. `python -m tests.studies.capacity backlog` prints how
often stable queues are called growing, and growing ones not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

WINDOW_LEAST_S = 30.0
_BLOCK_LEAST_S = 2.0
_BLOCKS_MIN = 8
_BLOCKS_MAX = 30
_RANDOM_WALK_VARIANCE = 1.5
_CONFIDENCE = 0.99


def backlog_grows(
    times_s: ArrayLike,
    backlog: ArrayLike,
    *,
    confidence: float = _CONFIDENCE,
    window_least_s: float = WINDOW_LEAST_S,
) -> bool:
    """Whether the backlog has a significant positive slope; False where too little was observed.

    Args:
        times_s: when the backlog was observed, ascending; any origin.
        backlog: signals sent and not yet final at these times.
        confidence: of each of the two tests, one-sided.
        window_least_s: observed time below which no slope is significant.

    Raises:
        ValueError: the two differ in length.
    """
    times = np.asarray(times_s, dtype=np.float64)
    values = np.asarray(backlog, dtype=np.float64)
    if times.shape != values.shape:
        raise ValueError(f"{times.size} times and {values.size} values of the backlog")
    if times.size < _BLOCKS_MIN or times[-1] - times[0] < window_least_s:
        return False
    means = _block_means(times, values)
    if means is None:
        return False
    return _slope_is_positive(means, confidence) and _drift_is_positive(means, confidence)


def _block_means(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Means of equally long blocks; None with too few blocks or an empty one."""
    span_s = float(times[-1] - times[0])
    blocks = min(_BLOCKS_MAX, int(span_s / _BLOCK_LEAST_S))
    if blocks < _BLOCKS_MIN:
        return None
    numbers = np.minimum((times - times[0]) * (blocks / span_s), blocks - 1).astype(np.int64)
    counts = np.bincount(numbers, minlength=blocks)
    if not counts.all():
        return None
    means: NDArray[np.float64] = np.bincount(numbers, weights=values, minlength=blocks) / counts
    return means


def _slope_is_positive(means: NDArray[np.float64], confidence: float) -> bool:
    size = len(means)
    x = np.arange(size) - (size - 1) / 2
    slope = float(x @ means) / float(x @ x)
    residuals = means - means.mean() - slope * x
    deviation = math.sqrt(float(residuals @ residuals) / (size - 2) / float(x @ x))
    return slope > float(stdtrit(size - 2, confidence)) * deviation


def _drift_is_positive(means: NDArray[np.float64], confidence: float) -> bool:
    changes = np.diff(means)
    size = len(changes)
    deviation = math.sqrt(_RANDOM_WALK_VARIANCE * float(changes.var(ddof=1)) / size)
    return float(changes.mean()) > float(stdtrit(size - 1, confidence)) * deviation
