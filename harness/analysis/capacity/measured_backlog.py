"""The backlog of a run's measured load, from its throughput by interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.analysis.measurement import ThroughputFigures
from harness.clock import NS_PER_S
from harness.scenario import Load


def measured_backlog(
    seconds: Sequence[ThroughputFigures], load: Load, load_end_ns: int | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Signals in flight at the end of each interval that lies within the measured load.

    Args:
        seconds: throughput of the whole run.
        load: as it was sent.
        load_end_ns: when sending ended, after t0; None for the end of the load.

    Returns:
        Seconds after t0, and the number of signals at these times; equally many.
    """
    stretches = load.measured_stretches_ns()
    if not stretches:
        return np.empty(0, dtype=np.float64), np.empty(0, dtype=np.int64)
    start_s, end_s = stretches[0][0] / NS_PER_S, stretches[-1][1] / NS_PER_S
    if load_end_ns is not None:
        end_s = min(end_s, load_end_ns / NS_PER_S)
    found = [
        (one.start_s + one.length_s, one.in_flight)
        for one in seconds
        if one.start_s >= start_s and one.start_s + one.length_s <= end_s
    ]
    return (
        np.array([at_s for at_s, _ in found], dtype=np.float64),
        np.array([in_flight for _, in_flight in found], dtype=np.int64),
    )
