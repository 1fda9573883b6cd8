"""What other tools find of the same systems: a ramp, and a controller of the rate.

Both are models of what their documents and sources say, written anew; no tool runs here.
"""

from __future__ import annotations

import math

import numpy as np

from tests.studies.capacity.systems import LIMIT_S, PERCENTILE, System, Times

# k6 evaluates its thresholds this often.
_THRESHOLD_EVERY_S = 2.0
_CONTROL_EVERY_S = 3.0
_BACKLOG_LIMIT = 1_000


def ramp(system: System, target: float, length_s: float, seed: int) -> float:
    """The rate at which a linear ramp from 0 is ended by the threshold p(99)<500.

    k6's page on breakpoint tests: `ramping-arrival-rate` with one stage, and a threshold with
    `abortOnFail`. The threshold covers all answers since the start of the test.

    Returns:
        The target where it never fails.
    """
    rng = np.random.default_rng((seed, 1))
    # The number of arrivals up to t is quadratic in t.
    size = rng.poisson(target * length_s / 2)
    arrivals: Times = np.sort(length_s * np.sqrt(rng.uniform(size=size)))
    latencies = system.latencies(rng, arrivals)
    ends = arrivals + latencies
    for time_s in np.arange(_THRESHOLD_EVERY_S, length_s, _THRESHOLD_EVERY_S):
        answered = latencies[ends <= time_s]
        if len(answered) and np.percentile(answered, PERCENTILE) >= LIMIT_S:
            return target * float(time_s) / length_s
    return target


def rate_controller(system: System, start: float, length_s: float, seed: int) -> float:
    """Mean rate of the second half of a load whose rate OpenMessaging's RateController sets.

    Every 3 s: with a backlog of more than 1,000 the rate falls to a mix of what was done and of
    what was planned less the backlog, and the factor of growth is halved; else the factor is
    doubled, up to 1, and the rate grows by it. Its optional target of latency is off by default.
    """
    rng = np.random.default_rng((seed, 2))
    arrivals: Times = np.zeros(0)
    rate, factor, received_before = start, 1.0, 0
    rates = []
    for number in range(math.floor(length_s / _CONTROL_EVERY_S)):
        begin_s, end_s = number * _CONTROL_EVERY_S, (number + 1) * _CONTROL_EVERY_S
        more = np.sort(rng.uniform(begin_s, end_s, rng.poisson(rate * _CONTROL_EVERY_S)))
        arrivals = np.concatenate((arrivals, more))
        rates.append(rate)
        # The same service times as before, and those of the new signals after them.
        latencies = system.latencies(np.random.default_rng((seed, 3)), arrivals)
        received = int((arrivals + latencies <= end_s).sum())
        backlog = len(arrivals) - received
        if backlog > _BACKLOG_LIMIT:
            factor = max(0.01, factor / 2)
            planned = max(0.0, rate - backlog / _CONTROL_EVERY_S)
            rate = 0.2 * (received - received_before) / _CONTROL_EVERY_S + 0.8 * planned
        else:
            factor = min(1.0, factor * 2)
            rate *= 1 + factor
        received_before = received
    return float(np.mean(rates[len(rates) // 2 :]))
