"""The scenario as frozen values."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.contract.trace_id import AGENT_MAX
from harness.scenario.objective import Objective, parse_objective

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]
Rate = Annotated[float, Field(ge=0, le=1_000_000)]


class Phase(StrEnum):
    """The part of a run in which a signal was intended."""

    WARMUP = "warmup"
    MEASURE = "measure"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Stage(_Frozen):
    """A stretch of load: the total rate goes in a straight line from `rate_from` to `rate_to`."""

    agents: Annotated[int, Field(ge=1, le=AGENT_MAX + 1)]
    rate_from: Rate
    rate_to: Rate
    duration_s: Seconds
    phase: Phase = Field(default=Phase.MEASURE, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _level_unless_told(cls, data: object) -> object:
        if isinstance(data, dict) and "rate_from" in data and "rate_to" not in data:
            return {**data, "rate_to": data["rate_from"]}
        return data

    @property
    def signals_expected(self) -> float:
        """Mean number of signals in this stage."""
        return (self.rate_from + self.rate_to) / 2 * self.duration_s


class Load(_Frozen):
    """When signals are due: open loop, whatever the system does."""

    arrival: Literal["constant", "poisson"] = "poisson"
    warmup_s: Annotated[float, Field(ge=0, le=86_400)] = 5.0
    drain_s: Seconds = 30.0
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, strict=False)]

    def timeline(self) -> tuple[Stage, ...]:
        """Every stage in order: the warm-up at the first rate, then the stages, repeated."""
        first = self.stages[0]
        stages = self.stages * self.repeat
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

    @property
    def agents_max(self) -> int:
        """The most agents that are alive at once."""
        return max(stage.agents for stage in self.stages)


class Signals(_Frozen):
    """What the signals are like."""

    full_share: Share = 0.0
    addresses: Literal["distinct", "hot"] = "distinct"
    hot_share: Share = 1.0
    chain_id: Annotated[int, Field(ge=1)] = 1
    memo_bytes: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    max_slippage_bps: Annotated[int, Field(ge=0, le=10_000)] = 100
    stale_share: Share = 0.0


class Chain(_Frozen):
    """The chain that the agents follow."""

    block_time_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    watermark_max_lag: Annotated[int, Field(ge=0)] = 2


class Engine(_Frozen):
    """Settings of the reference engine; a team's own engine ignores them."""

    workers: Annotated[int, Field(ge=1, le=64)] = 2


class Scenario(_Frozen):
    """One question worth asking of the system under test."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    about: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    load: Load
    signals: Signals = Signals()
    chain: Chain = Chain()
    engine: Engine = Engine()
    objectives: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]

    @field_validator("objectives")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        problems = []
        for text in value:
            try:
                parse_objective(text)
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @model_validator(mode="after")
    def _agents_send(self) -> Scenario:
        if sum(stage.signals_expected for stage in self.load.stages) < 1:
            raise ValueError("the stages send less than one signal: raise a rate or a duration")
        return self

    @property
    def needs_anvil(self) -> bool:
        """Whether some signals are to be simulated in full."""
        return self.signals.full_share > 0

    def parsed_objectives(self) -> tuple[Objective, ...]:
        """The objectives as values."""
        return tuple(parse_objective(text) for text in self.objectives)
