"""Delays whose true P99 is known exactly, from independent ones to those that come in bunches.

Each model gives the delay of signals that arrive at given times, scaled so that the P99 of its
stationary distribution is the one asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Times = NDArray[np.float64]
# (random numbers, arrival times in s, true P99 in s) -> delays in s
Model = Callable[[np.random.Generator, Times, float], Times]

_Z99 = 2.3263478740408408
_SIGMA = 0.5
_GRID_S = 0.01
_QUIET_S = 0.01


def independent(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
    """Log-normal, each delay for itself."""
    return p99_s * np.exp(_SIGMA * (rng.standard_normal(len(times)) - _Z99))


def wandering(tau_s: float) -> Model:
    """Log-normal, the logarithm an AR(1) process in steps of 10 ms that forgets within `tau_s`."""

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        steps = int(times[-1] / _GRID_S) + 2
        keep = math.exp(-_GRID_S / tau_s)
        shocks = rng.standard_normal(steps) * math.sqrt(1 - keep * keep)
        shocks[0] /= math.sqrt(1 - keep * keep)  # begins in its stationary distribution
        level = lfilter([1.0], [1.0, -keep], shocks)
        moved: Times = p99_s * np.exp(_SIGMA * (level[(times / _GRID_S).astype(int)] - _Z99))
        return moved

    return draw


def queue(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
    """M/M/1, first come first served: the sojourn is exponential with rate mu - lambda.

    Lindley's recursion W' = max(0, W + service - gap), begun in the stationary distribution.
    """
    arrival = len(times) / float(times[-1])
    spare = math.log(100) / p99_s
    service = arrival + spare
    work = rng.exponential(1 / service, len(times))
    begin = rng.exponential(1 / spare) if rng.random() < arrival / service else 0.0
    walk = np.cumsum(np.concatenate(([begin], work[:-1] - np.diff(times))))
    waits = walk - np.minimum(0.0, np.minimum.accumulate(walk))
    sojourns: Times = waits + work
    return sojourns


def stalls(every_s: float) -> Model:
    """Everything stops for L, on average every `every_s`; who comes meanwhile waits for its end.

    Renewal reward: the share of signals that wait longer than x is (L - x) / `every_s`, so that
    L = p99 + 0.01 * every_s.
    """

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        length_s = p99_s + 0.01 * every_s
        count = int(2 * times[-1] / every_s) + 60
        gaps = rng.exponential(every_s - length_s, count)
        # Long before the first signal, so that it meets the process in no special moment.
        starts = np.cumsum(gaps + length_s) - 20 * every_s
        last = np.searchsorted(starts, times) - 1
        left = np.where(last >= 0, starts[np.maximum(last, 0)] + length_s - times, 0.0)
        return np.maximum(left, _QUIET_S)

    return draw


MODELS: Mapping[str, Model] = {
    "independent": independent,
    "AR(1), forgets in 0.2 s": wandering(0.2),
    "AR(1), forgets in 2 s": wandering(2.0),
    "queue M/M/1": queue,
    "stalls every 2 s": stalls(2.0),
    "stalls every 10 s": stalls(10.0),
    "stalls every 20 s": stalls(20.0),
}
