"""Which stage of a load a moment belongs to, and how many agents it has."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from harness.clock import NS_PER_S
from harness.scenario.models import Load


class StageAt(NamedTuple):
    """A stage: its number as objectives write it, from 1, or 0 for the warm-up; its agents."""

    number: int
    agents: int


@dataclass(frozen=True, slots=True)
class StageClock:
    """The stages of a load in order of time.

    Attributes:
        edges_ns: start of each stage and end of the last, after t0.
        stages: by their index in `Load.timeline()`; a repeated stage has the same number again.
    """

    edges_ns: tuple[int, ...]
    stages: tuple[StageAt, ...]

    @classmethod
    def of_load(cls, load: Load) -> StageClock:
        """The stages of a load."""
        timeline = load.timeline()
        first = 1 if load.warmup_s else 0
        lengths = (round(stage.duration_s * NS_PER_S) for stage in timeline)
        return cls(
            tuple(accumulate(lengths, initial=0)),
            tuple(
                StageAt((index - first) % len(load.stages) + 1 if index >= first else 0, one.agents)
                for index, one in enumerate(timeline)
            ),
        )

    def at_s(self, moment_s: float) -> StageAt | None:
        """The stage at a time in seconds after t0; None before and after the load."""
        index = bisect_right(self.edges_ns, round(moment_s * NS_PER_S)) - 1
        return self.at_index(index)

    def at_index(self, index: int) -> StageAt | None:
        """A stage by its index in the timeline; None for one that is not in it."""
        return self.stages[index] if 0 <= index < len(self.stages) else None
