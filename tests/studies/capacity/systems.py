"""Simulated systems whose capacity is known.

A signal waits in one queue. Work is done at a rate that may vary with time, so the recursion of
Lindley (Proc. Cambridge Phil. Soc. 48, 1952) is solved in operational time, in which work is done
at rate 1: departures are the running maximum of arrivals minus the work before them, plus the work
up to them. Each load starts with an empty system, as the first one did.

Kleinrock I is L. Kleinrock, Queueing Systems, volume I, 1975.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

LIMIT_S = 0.5
PERCENTILE = 99.0
_LATE = 1 - PERCENTILE / 100

Times = NDArray[np.float64]
# Arrival times of a load to latencies, both in s.
Latencies = Callable[[np.random.Generator, Times], Times]


@dataclass(frozen=True)
class System:
    """A system under test.

    Attributes:
        capacity: highest rate whose P99 stays below LIMIT_S in the long run, in signals/s.
        saturation: rate at which the backlog grows without bound, in signals/s.
        latencies: of one load.
        truth: where the capacity comes from.
    """

    name: str
    capacity: float
    saturation: float
    latencies: Latencies
    truth: str


def mm1(rate: float) -> System:
    """M/M/1: the response time is exponential with rate mu - lambda (Kleinrock I, section 3.2)."""
    capacity = rate - math.log(1 / _LATE) / LIMIT_S

    def latencies(rng: np.random.Generator, arrivals: Times) -> Times:
        return _queue(arrivals, rng.exponential(1 / rate, len(arrivals)))

    return System(f"M/M/1, {rate:g}/s", capacity, rate, latencies, "mu - ln(100) / limit")


def mmc(rate: float, servers: int) -> System:
    """M/M/c: exponential service of the same total rate by several servers."""
    each = rate / servers

    def excess(load: float) -> float:
        return mmc_late_share(load, each, servers, LIMIT_S) - _LATE

    def latencies(rng: np.random.Generator, arrivals: Times) -> Times:
        free = [0.0] * servers
        ends = np.empty(len(arrivals))
        work = rng.exponential(1 / each, len(arrivals))
        for index, (arrival, service) in enumerate(
            zip(arrivals.tolist(), work.tolist(), strict=True)
        ):
            ends[index] = end = max(arrival, free[0]) + service
            heapq.heapreplace(free, end)
        return ends - arrivals

    capacity = float(brentq(excess, rate * 0.01, rate * (1 - 1e-9)))
    return System(f"M/M/{servers}, {rate:g}/s", capacity, rate, latencies, "Erlang C")


def mmc_late_share(load: float, each: float, servers: int, time_s: float) -> float:
    """P(response time > t) of M/M/c.

    P(wait > 0) is Erlang's C, the wait is exponential with rate c mu - lambda, and the service is
    exponential with rate mu (Kleinrock I, section 3.5).
    """
    offered = load / each
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    waits = blocked / (1 - offered / servers * (1 - blocked))
    drain = servers * each - load
    alone = math.exp(-each * time_s)
    if math.isclose(drain, each):
        return alone * (1 + waits * each * time_s)
    return alone + waits * each * (math.exp(-drain * time_s) - alone) / (each - drain)


def token_bucket(rate: float) -> System:
    """M/D/1: Poisson arrivals, one signal each 1/rate s.

    P(wait > t) is C exp(-eta t) but for terms that vanish within a few services, with
    lambda (exp(eta D) - 1) = eta and C = (1 - rho) / (lambda D exp(eta D) - 1) (Cramer-Lundberg;
    Asmussen, Applied Probability and Queues, XIII.5).
    """
    service_s = 1 / rate

    def excess(load: float) -> float:
        def root(eta: float) -> float:
            return load * math.expm1(eta * service_s) - eta

        # It is 0 at 0, negative after it, and convex.
        low = math.log(rate / load) / service_s
        eta = float(brentq(root, low, 20 * low + 1e-9))
        factor = (1 - load / rate) / (load * service_s * math.exp(eta * service_s) - 1)
        return factor * math.exp(-eta * (LIMIT_S - service_s)) - _LATE

    def latencies(rng: np.random.Generator, arrivals: Times) -> Times:
        del rng
        return _queue(arrivals, np.full(len(arrivals), service_s))

    capacity = float(brentq(excess, rate * 0.5, rate * (1 - 1e-6)))
    return System(f"token bucket, {rate:g}/s", capacity, rate, latencies, "Cramer-Lundberg")


def degrading(fresh: float, rate: float, after_s: float) -> System:
    """M/M/1 whose rate falls evenly from `fresh` to `rate`; the capacity is that of the latter."""

    def latencies(rng: np.random.Generator, arrivals: Times) -> Times:
        grid = np.arange(0.0, arrivals[-1] * 4 + 60.0, 0.5)
        rates = rate + (fresh - rate) * np.clip(1 - grid / after_s, 0.0, 1.0)
        done = np.concatenate(([0.0], np.cumsum((rates[1:] + rates[:-1]) / 2 * 0.5)))
        return _varying(arrivals, rng.exponential(1.0, len(arrivals)), grid, done)

    capacity = rate - math.log(1 / _LATE) / LIMIT_S
    name = f"degrades {fresh:g} -> {rate:g}/s in {after_s:g} s"
    return System(name, capacity, rate, latencies, "M/M/1 of the final rate")


def stalling(rate: float, period_s: float, stall_s: float, slow: float) -> System:
    """A deterministic server that is slow for a part of each period, as by a compaction.

    The capacity is that of a long simulation.
    """

    def latencies(rng: np.random.Generator, arrivals: Times) -> Times:
        first = rng.uniform(0, period_s)
        starts = first + period_s * np.arange(-1, math.ceil(arrivals[-1] * 4 / period_s) + 20)
        grid = np.sort(np.concatenate((starts, starts + stall_s)))
        rates = np.where(np.arange(len(grid) - 1) % 2 == 0, slow, rate)
        done = np.concatenate(([0.0], np.cumsum(np.diff(grid) * rates)))
        return _varying(arrivals, np.ones(len(arrivals)), grid, done)

    saturation = (rate * (period_s - stall_s) + slow * stall_s) / period_s
    capacity = simulated_capacity(latencies, saturation)
    name = f"{rate:g}/s, {slow:g}/s for {stall_s:g} of {period_s:g} s"
    return System(name, capacity, saturation, latencies, "long simulation")


def simulated_capacity(
    latencies: Latencies, saturation: float, length_s: float = 20_000.0
) -> float:
    """Highest rate whose P99 stays below the limit in a long load."""

    def is_met(rate: float) -> bool:
        rng = np.random.default_rng(1)
        arrivals = np.sort(rng.uniform(0, length_s, rng.poisson(rate * length_s)))
        return bool(np.percentile(latencies(rng, arrivals), PERCENTILE) < LIMIT_S)

    lower, upper = 0.0, saturation
    while upper - lower > saturation / 2_000:
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if is_met(middle) else (lower, middle)
    return (lower + upper) / 2


def _queue(arrivals: Times, work: Times) -> Times:
    """Latencies in a queue with one server."""
    return _departures(arrivals, work) - arrivals


def _departures(arrivals: Times, work: Times) -> Times:
    total = np.cumsum(work)
    departures: Times = total + np.maximum.accumulate(arrivals - total + work)
    return departures


def _varying(arrivals: Times, work: Times, grid: Times, done: Times) -> Times:
    """Latencies where `done` work was possible up to the times of `grid`, both ascending."""
    departures = _departures(np.interp(arrivals, grid, done), work)
    latencies: Times = np.interp(departures, done, grid) - arrivals
    return latencies
