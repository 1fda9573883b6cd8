"""The stages and phases of a load on the monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from harness.clock import NS_PER_S
from harness.scenario.models import Load, Phase


@dataclass(frozen=True, slots=True)
class Timeline:
    """The stages of a load on the monotonic clock.

    Attributes:
        t0_ns: start of the first stage.
        edges_ns: start of each stage and end of the last, after t0.
        phases: phase of each stage.
    """

    t0_ns: int
    edges_ns: tuple[int, ...]
    phases: tuple[Phase, ...]

    @classmethod
    def of(cls, load: Load, t0_ns: int) -> Timeline:
        """The timeline of a load."""
        stages = load.timeline()
        lengths = (round(stage.duration_s * NS_PER_S) for stage in stages)
        return cls(
            t0_ns=t0_ns,
            edges_ns=tuple(accumulate(lengths, initial=0)),
            phases=tuple(stage.phase for stage in stages),
        )

    @property
    def end_ns(self) -> int:
        """End of the last stage, monotonic."""
        return self.t0_ns + self.edges_ns[-1]

    def phase_of(self, stage: int) -> Phase:
        """Phase of a stage; an unknown stage counts as warm-up, so that it is not measured."""
        return self.phases[stage] if stage < len(self.phases) else Phase.WARMUP

    def phase_end_ns(self, stage: int) -> int:
        """When the last of the consecutive stages of this stage's phase ends, monotonic."""
        last = min(stage, len(self.phases) - 1)
        while last + 1 < len(self.phases) and self.phases[last + 1] is self.phases[last]:
            last += 1
        return self.t0_ns + self.edges_ns[last + 1]

    def bounds_ns(self, phase: Phase) -> tuple[int, int] | None:
        """From the first stage of a phase to the end of its last, monotonic; None without one."""
        numbers_of_phase = [number for number, one in enumerate(self.phases) if one is phase]
        if not numbers_of_phase:
            return None
        return self.t0_ns + self.edges_ns[numbers_of_phase[0]], self.t0_ns + self.edges_ns[
            numbers_of_phase[-1] + 1
        ]

    def numbers(self, phase: Phase) -> frozenset[int]:
        """Numbers of the stages of a phase."""
        return frozenset(number for number, one in enumerate(self.phases) if one is phase)

    def duration_ns(self, phase: Phase) -> int:
        """Length of all stages of a phase together."""
        return self.length_ns(self.numbers(phase))

    def length_ns(self, stages: frozenset[int]) -> int:
        """Length of these stages together."""
        return sum(end - start for start, end in self.stretches_ns(stages))

    def stretches_ns(self, stages: frozenset[int]) -> list[tuple[int, int]]:
        """Start and end of each of these stages, after t0."""
        return [(self.edges_ns[number], self.edges_ns[number + 1]) for number in sorted(stages)]
