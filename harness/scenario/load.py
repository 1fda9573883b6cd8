"""The load of a scenario: agents, rates, stages, and the analyses of a run of variable length.

A load with `until_decided_s` has a group sequential plan: the times of its analyses are fixed
before the run, and each analysis may err with its share of the total error. By the union bound all
of them together err no more often than a single one, whatever rule ends the run at one of them, and
however they depend on each other (Jennison and Turnbull, Group Sequential Methods, section 1.4;
equal shares as in Bonferroni).
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S
from harness.contract.trace_id import AGENT_MAX

Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]
# A week at 330 signals/s. The judge recomputes each intended time, at some 50 bytes each.
SIGNALS_MAX = 200_000_000
# Each agent has its own schedule in each stage.
SCHEDULES_MAX = 1_000_000
Rate = Annotated[float, Field(ge=0, le=1_000_000)]
# Each analysis has twice the data of the one before; with less, intervals change little.
_GROWTH = 2.0
# An analysis so shortly before the last one would waste its share of the error.
_LAST_GROWTH_MIN = 1.25


class Phase(StrEnum):
    """The part of a run in which a signal was intended.

    COOLDOWN: after the deciding analysis, until the load has ended.
    """

    WARMUP = "warmup"
    MEASURE = "measure"
    COOLDOWN = "cooldown"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Stage(_Frozen):
    """A part of the load: the total rate changes linearly from `rate_from` to `rate_to`."""

    # Begins with a letter, so that no name is a number.
    name: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]{0,31})?$")] = ""
    agents: Annotated[int, Field(ge=1, le=AGENT_MAX + 1)]
    rate_from: Rate
    rate_to: Rate
    duration_s: Seconds
    phase: Phase = Field(default=Phase.MEASURE, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _level_by_default(cls, data: object) -> object:
        if isinstance(data, dict) and "rate_from" in data and "rate_to" not in data:
            return {**data, "rate_to": data["rate_from"]}
        return data

    @property
    def signals_expected(self) -> float:
        """Mean number of signals in this stage."""
        return (self.rate_from + self.rate_to) / 2 * self.duration_s


class Load(_Frozen):
    """When signals are due: open loop, independent of the system.

    Attributes:
        until_decided_s: maximum measured length; the load ends at the first analysis that decides,
            but not before the end of its stage. None: the length is that of its stages.
        abort_on_overload: whether the load ends once the backlog of signals certainly grows.
    """

    arrival: Literal["constant", "poisson"] = "poisson"
    warmup_s: Annotated[float, Field(ge=0, le=86_400)] = 5.0
    drain_s: Seconds = 30.0
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    until_decided_s: Seconds | None = None
    abort_on_overload: bool = False
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _can_be_judged(self) -> Load:
        if (signals := self.signals_most) > SIGNALS_MAX:
            raise ValueError(
                f"{signals:,.0f} signals are more than {SIGNALS_MAX:,}: lower a rate, a duration"
                " or repeat"
            )
        schedules = self.agents_max * len(self.stages) * self.repeat
        if schedules > SCHEDULES_MAX:
            raise ValueError(
                f"{len(self.stages) * self.repeat:,} stages of {self.agents_max:,} agents are"
                f" {schedules:,} schedules, more than {SCHEDULES_MAX:,}"
            )
        return self

    @model_validator(mode="after")
    def _can_go_on(self) -> Load:
        if self.until_decided_s is None:
            return self
        first = self.stages[0]
        if len(self.stages) * self.repeat > 1 or first.rate_from != first.rate_to:
            raise ValueError("until_decided_s needs a load of one stage at one rate")
        if first.phase is not Phase.MEASURE:
            raise ValueError("until_decided_s needs a stage that is measured")
        if self.until_decided_s <= first.duration_s:
            raise ValueError(
                f"until_decided_s is the maximum measured length, {self.until_decided_s:g} s, and"
                f" the stage is not shorter, {first.duration_s:g} s: make the stage shorter"
            )
        return self

    @property
    def signals_most(self) -> float:
        """Maximum mean number of signals, with those of the warm-up."""
        first = self.stages[0]
        measured = self.repeat * sum(stage.signals_expected for stage in self.stages)
        measured = max(measured, first.rate_from * (self.until_decided_s or 0.0))
        return measured + self.warmup_s * (first.rate_from or first.rate_to)

    def analysis_times_s(self) -> tuple[float, ...]:
        """Measured seconds at which the verdict is analysed; one for a load of fixed length."""
        least_s = self.repeat * sum(
            stage.duration_s for stage in self.stages if stage.phase is Phase.MEASURE
        )
        return analysis_times_s(least_s, self.until_decided_s or least_s)

    def of_fixed_length(self) -> Load:
        """The same load with the length of its stages."""
        return self.model_copy(update={"until_decided_s": None})

    def ended_after(self, analyses: int, end_ns: int) -> Load:
        """The executed load, its stages numbered as before.

        Args:
            analyses: number of analyses until which the load is measured.
            end_ns: end of the load, after its start; no signal is due later.
        """
        if self.until_decided_s is None:
            return self
        measured, rest = self._unrolled_stages()[:analyses], self._unrolled_stages()[analyses:]
        start_ns = round((self.warmup_s + sum(stage.duration_s for stage in measured)) * NS_PER_S)
        cooldown = []
        for stage in rest:
            length_s = min(stage.duration_s, (end_ns - start_ns) / NS_PER_S)
            if length_s <= 0:
                break
            cooldown.append(
                stage.model_copy(update={"phase": Phase.COOLDOWN, "duration_s": length_s})
            )
            start_ns += round(stage.duration_s * NS_PER_S)
        stages = (*measured, *cooldown)
        return self.model_copy(update={"until_decided_s": None, "stages": stages})

    def _unrolled_stages(self) -> tuple[Stage, ...]:
        """The stages; of a load of variable length, a stage up to each analysis."""
        if self.until_decided_s is None:
            return self.stages * self.repeat
        times = self.analysis_times_s()
        return tuple(
            self.stages[0].model_copy(update={"duration_s": end_s - start_s})
            for start_s, end_s in pairwise((0.0, *times))
        )

    def timeline(self) -> tuple[Stage, ...]:
        """Every stage in order: the warm-up at the first rate, then the stages, repeated."""
        first = self.stages[0]
        stages = self._unrolled_stages()
        if self.warmup_s == 0:
            return stages
        rate = first.rate_from or first.rate_to
        warmup = Stage(
            agents=first.agents,
            rate_from=rate,
            rate_to=rate,
            duration_s=self.warmup_s,
            phase=Phase.WARMUP,
        )
        return (warmup, *stages)

    def stage_numbers(self, stage: str) -> frozenset[int]:
        """Indexes of a stage and its repetitions in the timeline; empty for an unknown stage.

        Args:
            stage: its name, or its number from 1 on.
        """
        at = next(
            (
                number
                for number, own in enumerate(self.stages)
                if stage in (own.name, str(number + 1))
            ),
            None,
        )
        if at is None:
            return frozenset()
        first = 1 if self.warmup_s else 0
        return frozenset(
            range(first + at, first + self.repeat * len(self.stages), len(self.stages))
        )

    def measured_stretches_ns(self) -> tuple[tuple[int, int], ...]:
        """Start and end, after the load's start, of each uninterrupted measured interval."""
        spans: list[tuple[int, int]] = []
        start_ns = 0
        for stage in self.timeline():
            end_ns = start_ns + round(stage.duration_s * NS_PER_S)
            if stage.phase is Phase.MEASURE:
                joins = bool(spans) and spans[-1][1] == start_ns
                first_ns = spans.pop()[0] if joins else start_ns
                spans.append((first_ns, end_ns))
            start_ns = end_ns
        return tuple(spans)

    @property
    def agents_max(self) -> int:
        """Largest number of concurrent agents."""
        return max(stage.agents for stage in self.stages)


def analysis_times_s(least_s: float, most_s: float) -> tuple[float, ...]:
    """Lengths of measured load at which the verdict is analysed, ascending.

    Args:
        least_s: length of the load until the first analysis.
        most_s: length until the last one; not less.
    """
    times = [least_s]
    while times[-1] * _GROWTH * _LAST_GROWTH_MIN <= most_s:
        times.append(times[-1] * _GROWTH)
    if times[-1] < most_s:
        times.append(most_s)
    return tuple(times)


def confidence_of_each(overall: float, analyses: int) -> float:
    """The confidence of each analysis that gives the overall confidence of all of them."""
    return 1 - (1 - overall) / analyses
