"""Delays whose true P99 is known exactly, from independent ones to those that come in bunches.

Each model gives the delay of signals that arrive at given times, scaled so that the P99 of its
stationary distribution is the one asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import ndtr

Times = NDArray[np.float64]
# (random numbers, arrival times in s, true P99 in s) -> delays in s
Model = Callable[[np.random.Generator, Times, float], Times]

_Z99 = 2.3263478740408408
_SIGMA = 0.5
_GRID_S = 0.01
_ORDINARY_S = 0.01


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


def level_wanders(tau_s: float, sigma: float) -> Model:
    """Log-normal, each delay for itself, around a level that forgets within `tau_s`.

    The logarithm of the level is an AR(1) process in steps of 1 s with deviation `sigma`; that of a
    delay is normal with the variance of both.
    """

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        steps = int(times[-1]) + 2
        keep = math.exp(-1 / tau_s)
        shocks = rng.standard_normal(steps) * math.sqrt(1 - keep * keep)
        shocks[0] /= math.sqrt(1 - keep * keep)  # begins in its stationary distribution
        level = sigma * lfilter([1.0], [1.0, -keep], shocks)[times.astype(int)]
        own = _SIGMA * rng.standard_normal(len(times))
        delays: Times = p99_s * np.exp(level + own - math.hypot(_SIGMA, sigma) * _Z99)
        return delays

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
        return _left_of_stalls(starts, np.full(count, length_s), times)

    return draw


def pareto(alpha: float) -> Model:
    """Pareto tails, each delay for itself: P(delay > x) = 0.01 (p99 / x)^alpha."""

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        delays: Times = p99_s * (0.01 / (1 - rng.random(len(times)))) ** (1 / alpha)
        return delays

    return draw


def bunches(size: int, *, tied: bool) -> Model:
    """Slow signals in bunches of consecutive ones.

    Tied: 1.2 % of the signals are slow, each with the P99 itself. Else 2 % are slow, log-normal
    around the P99 and alike within a bunch (correlation 0.81), so that half of them exceed it.
    """

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        number = -(-len(times) // size)
        slow = np.repeat(rng.random(number) < (0.012 if tied else 0.02), size)[: len(times)]
        if tied:
            return np.where(slow, p99_s, _ORDINARY_S)
        bunch = np.repeat(rng.standard_normal(number), size)[: len(times)]
        own = rng.standard_normal(len(times))
        level = math.sqrt(0.81) * bunch + math.sqrt(0.19) * own
        return np.where(slow, p99_s * np.exp(_SIGMA * level), _ORDINARY_S)

    return draw


def drift(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
    """Log-normal, three times as slow at the end of each 30 s as at their beginning.

    The P99 of each of them is the one asked for: the mean over time of P(delay > p99) is 1 %.
    """
    level = 3.0 ** (times % 30.0 / 30.0)
    delays: Times = p99_s * _DRIFT_SCALE * level * independent(rng, times, 1.0)
    return delays


def _drift_scale() -> float:
    """Scale at which a level that goes from 1 to 3 has a P99 of 1."""
    logs = np.log(3.0 ** np.linspace(0.0, 1.0, 10_001))

    def beyond(scale: float) -> float:
        return float(np.mean(ndtr(-_Z99 + (logs + math.log(scale)) / _SIGMA)))

    return float(brentq(lambda scale: beyond(scale) - 0.01, 0.1, 1.0))


_DRIFT_SCALE = _drift_scale()


def on_off(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
    """One second in thirty is slow; 30 % of its signals exceed the P99 (0.3 / 30 = 1 %)."""
    phase = (times + rng.uniform(0, 30.0)) % 30.0
    normal = rng.standard_normal(len(times))
    slow = p99_s * np.exp(_SIGMA * (normal - 0.5244005127080407))
    return np.where(phase < 1.0, slow, _ORDINARY_S)


def _left_of_stalls(starts: Times, lengths_s: Times, times: Times) -> Times:
    """What is left of the stall that each signal meets; the ordinary delay where it meets none."""
    last = np.searchsorted(starts, times) - 1
    at = np.maximum(last, 0)
    left = np.where(last >= 0, starts[at] + lengths_s[at] - times, 0.0)
    return np.maximum(left, _ORDINARY_S)


def pareto_stalls(every_s: float) -> Model:
    """Stalls of Pareto(3) length, one in `every_s` on average.

    E[(L - x)+] = L0^3 / (2 x^2) for x >= L0, and that over `every_s` is 1 % at the P99.
    """

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        least_s = (0.02 * every_s * p99_s**2) ** (1 / 3)
        count = int(2 * times[-1] / every_s) + 60
        lengths = least_s * (1 - rng.random(count)) ** (-1 / 3)
        gaps = rng.exponential(every_s - 1.5 * least_s, count)
        starts = np.cumsum(gaps + lengths) - lengths - 20 * every_s
        return _left_of_stalls(starts, lengths, times)

    return draw


def periodic(every_s: float) -> Model:
    """A stall of the same length every `every_s` exactly, from a random moment on."""

    def draw(rng: np.random.Generator, times: Times, p99_s: float) -> Times:
        length_s = p99_s + 0.01 * every_s
        count = int(times[-1] / every_s) + 3
        starts: Times = np.arange(-1.0, count - 1) * every_s + float(rng.uniform(0, every_s))
        return _left_of_stalls(starts, np.full(len(starts), length_s), times)

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

# For an hour of the same load: what stays autocorrelated over minutes.
HOUR_MODELS: Mapping[str, Model] = {
    "queue M/M/1": queue,
    "AR(1), forgets in 20 s": wandering(20.0),
    "level forgets in 60 s": level_wanders(60.0, 0.1),
    "level forgets in 600 s": level_wanders(600.0, 0.3),
}

# More of them, for runs that end when they are decided: model, and how rarely slow signals come
# (s between two of their bunches on average, at 100 signals/s; 0 where they come all the time).
MORE_MODELS: Mapping[str, tuple[Model, float]] = {
    **{
        name: (model, float(name.split()[-2]) if name.startswith("stalls") else 0.0)
        for name, model in MODELS.items()
    },
    "Pareto 1.5": (pareto(1.5), 0.0),
    "bunches of 5, tied": (bunches(5, tied=True), 5 / 1.2),
    "bunches of 5, jittered": (bunches(5, tied=False), 5 / 2),
    "bunches of 40, tied": (bunches(40, tied=True), 40 / 1.2),
    "bunches of 40, jittered": (bunches(40, tied=False), 40 / 2),
    "drift x3": (drift, 0.0),
    "on/off, 1 s in 30 s": (on_off, 30.0),
    "stalls every 30 s": (stalls(30.0), 30.0),
    "stalls every 60 s": (stalls(60.0), 60.0),
    "Pareto(3) stalls every 10 s": (pareto_stalls(10.0), 10.0),
    "periodic, 10 s": (periodic(10.0), 10.0),
    "periodic, 30 s": (periodic(30.0), 30.0),
    "periodic, 60 s": (periodic(60.0), 60.0),
}
