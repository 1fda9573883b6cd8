"""Where the time went: the total cut into stages whose means sum to the mean of the total.

Only signals that have all times of a set of cuts take part in its split, so that every stage is
taken over the same signals and sums are exact. The set that the most signals have is reported;
where a cut is not in it, its neighbours merge and are named so. When the engine took the lock and
when it had simulated is exposed by no row version: both lie within INIT -> SIMULATED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import Histogram, HistogramBuilder, Values

# Cuts that may be missing, by bit, between those that are always there.
_OPTIONAL = ("accepted by Redis", "INIT committed", "SIMULATED committed")
CUTS = ("intended", "sent", *_OPTIONAL, "seen")
NOT_EXPOSED = "lock held and simulated are not exposed: both lie within INIT -> SIMULATED committed"


@dataclass(frozen=True, slots=True)
class BreakdownStage:
    """One stage of the split.

    Attributes:
        start: the cut it begins at, a name of CUTS.
        end: the cut it ends at.
        merged: cuts in between that have no time.
        histogram: its durations; negative ones are counted there, and keep their part of the sum.
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
        arrived: signals that arrived, those without all times included.
    """

    stages: tuple[BreakdownStage, ...]
    total: Histogram
    arrived: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside the figures."""
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
    """A split under way for signals that have the same cuts."""

    def __init__(self, cuts: tuple[int, ...]) -> None:
        self.cuts = cuts
        self.tallies = [HistogramBuilder() for _ in cuts[1:]]
        self.total = HistogramBuilder()
        self.count = 0

    def add(self, times: NDArray[np.int64]) -> None:
        own = times[:, self.cuts]
        for number, tally in enumerate(self.tallies):
            tally.record(own[:, number + 1] - own[:, number])
        self.total.record(own[:, -1] - own[:, 0])
        self.count += len(own)


class LatencyBreakdownBuilder:
    """Stage splits under way; cuts that are not known are marked by zero."""

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
        """Take in arrived signals; all times are monotonic ns."""
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
        """The split of the cuts that the most signals have; None when nothing arrived."""
        if not self._patterns:
            return None
        best = max(self._patterns.values(), key=lambda pattern: (pattern.count, len(pattern.cuts)))
        stages = [
            BreakdownStage(
                start=CUTS[start],
                end=CUTS[end],
                merged=CUTS[start + 1 : end],
                histogram=tally.histogram(),
            )
            for start, end, tally in zip(best.cuts, best.cuts[1:], best.tallies, strict=False)
        ]
        arrived = sum(pattern.count for pattern in self._patterns.values())
        return LatencyBreakdown(tuple(stages), best.total.histogram(), arrived)
