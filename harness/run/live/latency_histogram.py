"""Latencies of a run under way: percentiles and cumulative buckets, per phase and mode; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import rank_of
from harness.analysis.statistics import size_needed
from harness.clock import NS_PER_MS, NS_PER_US
from harness.evidence.records import Mode
from harness.scenario.models import Load, Phase

# The same for every run, so that runs can be compared; dense around 500 ms, and with the limits
# of simulation itself (80, 250, 600, 680 ms).
BOUNDS_MS = (
    *(1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 80.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0),
    *(450.0, 500.0, 550.0, 600.0, 680.0, 800.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0),
)
BOUNDS_NS = tuple(round(bound * NS_PER_MS) for bound in BOUNDS_MS)
# Fine buckets 1 % wide from 1 us to more than an hour: enough to display a percentile.
_FINE_LOG = math.log(1.01)
_FINE = 2_300
_PHASES = (Phase.WARMUP, Phase.MEASURE)

TimeRanges = Sequence[tuple[int, int]]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LatencyBuckets:
    """Latencies of one phase and mode.

    Attributes:
        counts: signals up to each of `BOUNDS_NS` and above the bound before; one more element
            counts those above all bounds. Not cumulative.
        sum_ns: of all of them.
    """

    phase: str
    mode: str
    counts: tuple[int, ...]
    sum_ns: int


class LiveLatencyHistogram:
    """Counts latencies as they come.

    Args:
        measured: start and end (monotonic ns) of what is measured, ascending; the rest is warm-up.
            None: everything is measured.
    """

    def __init__(self, measured: TimeRanges | None = None) -> None:
        self._edges = None if measured is None else np.array(measured, np.int64).reshape(-1)
        shape = (len(_PHASES), len(Mode))
        self._fine = np.zeros((*shape, _FINE), np.int64)
        self._coarse = np.zeros((*shape, len(BOUNDS_NS) + 1), np.int64)
        self._sums_ns = np.zeros(shape, np.int64)

    def add(self, intended_ns: Integers, modes: NDArray[Any], latencies_ns: Integers) -> None:
        """Add signals that reached SIMULATED; unknown modes are left out."""
        known = modes < len(Mode)
        intended_ns, modes, latencies_ns = intended_ns[known], modes[known], latencies_ns[known]
        cells = (self._phases(intended_ns), modes.astype(np.int64))
        micros = np.maximum(1.0, latencies_ns / NS_PER_US)
        fine = np.minimum((np.log(micros) / _FINE_LOG).astype(np.int64), _FINE - 1)
        np.add.at(self._fine, (*cells, fine), 1)
        # A bound belongs to its bucket, as in Prometheus.
        coarse = np.searchsorted(np.array(BOUNDS_NS, np.int64), latencies_ns, side="left")
        np.add.at(self._coarse, (*cells, coarse), 1)
        np.add.at(self._sums_ns, cells, latencies_ns)

    def percentile_ns(self, percentile: float, mode: Mode | None = None) -> int | None:
        """A percentile so far, to 1 %, of what is measured; before that begins, of the warm-up.

        Args:
            percentile: 0 < percentile <= 100.
            mode: None for all signals together.

        Returns:
            None when there are too few signals for this percentile.
        """
        by_phase = self._fine.sum(axis=1) if mode is None else self._fine[:, mode]
        measured = by_phase[_PHASES.index(Phase.MEASURE)]
        counts = measured if measured.any() else by_phase[_PHASES.index(Phase.WARMUP)]
        total = int(counts.sum())
        if total < (size_needed(percentile) if percentile < 100 else 1):
            return None
        bucket = int(np.searchsorted(np.cumsum(counts), rank_of(percentile, total)))
        return round(math.exp((bucket + 0.5) * _FINE_LOG) * NS_PER_US)

    def buckets(self) -> tuple[LatencyBuckets, ...]:
        """The buckets of each phase and mode that has a signal."""
        return tuple(
            LatencyBuckets(
                phase.value,
                mode.name.lower(),
                tuple(self._coarse[number, mode].tolist()),
                int(self._sums_ns[number, mode]),
            )
            for (number, phase), mode in product(enumerate(_PHASES), Mode)
            if self._coarse[number, mode].any()
        )

    def _phases(self, intended_ns: Integers) -> Integers:
        if self._edges is None:
            return np.ones(len(intended_ns), np.int64)
        # Between a start and its end an odd number of edges has been passed.
        return np.searchsorted(self._edges, intended_ns, side="right") % 2


def measured_ranges(load: Load, t0_ns: int) -> TimeRanges:
    """Measured ranges of a load that begins at `t0_ns`, on the monotonic clock."""
    return tuple(
        (t0_ns + start_ns, t0_ns + end_ns) for start_ns, end_ns in load.measured_stretches_ns()
    )
