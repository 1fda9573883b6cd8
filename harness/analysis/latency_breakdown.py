"""Latency by stage: the total is cut into stages whose means sum to the mean of the total.

A split covers only signals that have all times of its set of cuts, so that every stage has the same
signals and sums are exact. The set that the most signals have is reported; the stages around a
missing cut are merged, which a note says. No row version shows when the engine acquired the lock
and when it finished the simulation: both lie within INIT -> SIMULATED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import Histogram, HistogramBuilder, Values

# Cuts that may be missing, by bit, between those that always exist.
_OPTIONAL = ("accepted by Redis", "INIT committed", "SIMULATED committed")
CUTS = ("intended", "sent", *_OPTIONAL, "seen")
NOT_EXPOSED = "lock held and simulated are not exposed: both lie within INIT -> SIMULATED committed"


@dataclass(frozen=True, slots=True)
class BreakdownStage:
    """One stage of the split.

    Attributes:
        start: the cut it begins at, a name of CUTS.
        end: the cut it ends at.
        merged: cuts in between without a time.
        histogram: durations; negative ones are counted, and in the sum.
    """

    start: str
    end: str
    merged: tuple[str, ...]
    histogram: Histogram


@dataclass(frozen=True, slots=True)
class LatencyBreakdown:
    """All stages.

    Attributes:
        stages: in order.
        total: from the first cut to the last, over the same signals.
        arrived: all signals that arrived, those without all times included.
    """

    stages: tuple[BreakdownStage, ...]
    total: Histogram
    arrived: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Limitations of the figures, for the reader."""
        notes = [
            f"no time for '{name}': its neighbours are merged"
            for stage in self.stages
            for name in stage.merged
        ]
        if self.arrived > self.total.count:
            notes.append(
                f"split over the {self.total.count} of {self.arrived} signals that have all times"
            )
        return (*notes, NOT_EXPOSED)


class _Pattern:
    """Accumulates the split of the signals that have the same cuts."""

    def __init__(self, cuts: tuple[int, ...]) -> None:
        self.cuts = cuts
        self.builders = [HistogramBuilder() for _ in cuts[1:]]
        self.total = HistogramBuilder()
        self.count = 0

    def add(self, times: NDArray[np.int64]) -> None:
        times_of_cuts = times[:, self.cuts]
        for number, builder in enumerate(self.builders):
            builder.record(times_of_cuts[:, number + 1] - times_of_cuts[:, number])
        self.total.record(times_of_cuts[:, -1] - times_of_cuts[:, 0])
        self.count += len(times_of_cuts)


class LatencyBreakdownBuilder:
    """Accumulates stage splits; a time of zero marks an unknown cut."""

    def __init__(self) -> None:
        self._patterns: dict[int, _Pattern] = {}

    def add(
        self,
        intended: Values,
        sent: Values,
        accepted: Values,
        init_committed: Values,
        committed: Values,
        seen: Values,
    ) -> None:
        """Add arrived signals; all times are monotonic ns."""
        times = np.stack([intended, sent, accepted, init_committed, committed, seen], axis=1)
        known = times[:, 2:5] != 0
        kinds = known @ np.array([1, 2, 4])
        for kind in np.unique(kinds).tolist():
            pattern = self._patterns.get(kind)
            if pattern is None:
                cuts = [0, 1, *(2 + bit for bit in range(3) if kind >> bit & 1), 5]
                pattern = self._patterns[kind] = _Pattern(tuple(cuts))
            pattern.add(times[kinds == kind])

    def split(self) -> LatencyBreakdown | None:
        """The split of the cuts that the most signals have; None when none arrived."""
        if not self._patterns:
            return None
        best = max(self._patterns.values(), key=lambda pattern: (pattern.count, len(pattern.cuts)))
        stages = [
            BreakdownStage(
                start=CUTS[start],
                end=CUTS[end],
                merged=CUTS[start + 1 : end],
                histogram=builder.histogram(),
            )
            for start, end, builder in zip(best.cuts, best.cuts[1:], best.builders, strict=False)
        ]
        arrived = sum(pattern.count for pattern in self._patterns.values())
        return LatencyBreakdown(tuple(stages), best.total.histogram(), arrived)
