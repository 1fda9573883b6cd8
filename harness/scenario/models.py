"""The scenario as frozen values."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S
from harness.contract.trace_id import AGENT_MAX
from harness.scenario.agent_containers import AgentContainers
from harness.scenario.fault import Fault, PlannedFault, misplaced, plan_faults, times_of
from harness.scenario.fault_base import TIMES_MAX
from harness.scenario.gate import Gate
from harness.scenario.isolation import Isolation
from harness.scenario.objective import Objective
from harness.scenario.promise import Entry, Promise, promise_of
from harness.scenario.sentinel import Sentinel, too_short

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]
Rate = Annotated[float, Field(ge=0, le=1_000_000)]
SEED_MAX = 2**63 - 1


class Phase(StrEnum):
    """The part of a run in which a signal was intended."""

    WARMUP = "warmup"
    MEASURE = "measure"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Stage(_Frozen):
    """A stretch of load: the total rate goes in a straight line from `rate_from` to `rate_to`."""

    # Begins with a letter, so that no name can be taken for a number.
    name: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]{0,31})?$")] = ""
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

    def stage_numbers(self, stage: str) -> frozenset[int]:
        """Where in the timeline a stage lies, each repetition; empty for one that is not there.

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
        """Start and end, after the load's start, of each unbroken stretch that is measured."""
        stretches: list[tuple[int, int]] = []
        start_ns = 0
        for stage in self.timeline():
            end_ns = start_ns + round(stage.duration_s * NS_PER_S)
            if stage.phase is Phase.MEASURE:
                joins = bool(stretches) and stretches[-1][1] == start_ns
                first_ns = stretches.pop()[0] if joins else start_ns
                stretches.append((first_ns, end_ns))
            start_ns = end_ns
        return tuple(stretches)

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
    # Below 1: of stale signals alone nothing is promised, so there would be nothing to judge.
    stale_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Chain(_Frozen):
    """The chain that the agents follow."""

    block_time_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    watermark_max_lag: Annotated[int, Field(ge=0)] = 2
    # Unless told, as long as the blocks take that a signal may be behind: 24 s of 12 s each.
    stale_within_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    nodes: Annotated[int, Field(ge=0, le=8)] = 0

    @property
    def sentinel(self) -> Sentinel:
        """When a signal has to be refused as stale."""
        return Sentinel.of(self.block_time_s, self.watermark_max_lag, self.stale_within_s)


class Redis(_Frozen):
    """Settings of the Redis that is started; one that runs already keeps its own."""

    maxmemory_mb: Annotated[int, Field(ge=0, le=65_536)] = 0
    stream_maxlen: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000


class Engine(_Frozen):
    """Settings of the reference engine; a team's own engine ignores them."""

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    defects: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Telemetry(_Frozen):
    """What is noted of the system's resources beside the measurement."""

    enabled: bool = True
    every_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0


class Scenario(_Frozen):
    """One question worth asking of the system under test."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    about: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 1
    load: Load
    signals: Signals = Signals()
    chain: Chain = Chain()
    redis: Redis = Redis()
    engine: Engine = Engine()
    agent_containers: AgentContainers = AgentContainers()
    telemetry: Telemetry = Telemetry()
    objectives: Annotated[tuple[Entry, ...], Field(min_length=1, strict=False)]
    fault: Annotated[tuple[Fault, ...], Field(max_length=100, strict=False)] = ()
    isolation: Isolation | None = None
    gate: Gate | None = None

    @model_validator(mode="after")
    def _agents_send(self) -> Scenario:
        if sum(stage.signals_expected for stage in self.load.stages) < 1:
            raise ValueError("the stages send less than one signal: raise a rate or a duration")
        return self

    @model_validator(mode="after")
    def _objectives_fit_the_load(self) -> Scenario:
        names = [stage.name for stage in self.load.stages if stage.name]
        problems = [
            f"two stages are named {name!r}" for name in set(names) if names.count(name) > 1
        ]
        for objective in self.parsed_objectives():
            problems += _misfits(objective, self.load)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _faults_fit_the_load(self) -> Scenario:
        if (times := times_of(self.fault)) > TIMES_MAX:
            raise ValueError(f"{times} faults are more than {TIMES_MAX}")
        stretches = self.load.measured_stretches_ns()
        problems = misplaced(self.planned_faults(), stretches[-1][1] if stretches else 0)
        problems += too_short(self.fault, self.chain.sentinel)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _blocks_fill_the_load(self) -> Scenario:
        if self.isolation is not None:
            length_s = sum(e - s for s, e in self.load.measured_stretches_ns()) / NS_PER_S
            if round(length_s - self.isolation.load_s, 3) != 0:
                raise ValueError(
                    f"isolation: the blocks take {self.isolation.load_s:g} s,"
                    f" and the measured load is {length_s:g} s"
                )
        return self

    @model_validator(mode="after")
    def _gate_fits_the_load(self) -> Scenario:
        if self.gate is None:
            return self
        stretches = self.load.measured_stretches_ns()
        end_ns = self.gate_start_ns + self.gate.timeout_ns
        if not stretches or end_ns >= stretches[-1][1]:
            raise ValueError(
                f"gate: it may last until {end_ns / NS_PER_S:g} s of the load, and the measured"
                f" load ends at {stretches[-1][1] / NS_PER_S if stretches else 0:g} s"
            )
        return self

    @property
    def gate_start_ns(self) -> int:
        """When the gate's node is started, after t0."""
        stretches = self.load.measured_stretches_ns()
        start_ns = stretches[0][0] if stretches else 0
        return start_ns + (self.gate.at_ns if self.gate else 0)

    def planned_faults(self) -> tuple[PlannedFault, ...]:
        """Every fault with its time after t0, in order."""
        stretches = self.load.measured_stretches_ns()
        return plan_faults(self.fault, self.seed, stretches[0][0] if stretches else 0)

    @property
    def needs_anvil(self) -> bool:
        """Whether some signals are to be simulated in full."""
        return self.signals.full_share > 0

    @property
    def stalls_the_feed(self) -> bool:
        """Whether agents are held up, so that their data become stale."""
        return any(fault.kind == "feed_stall" for fault in self.fault)

    def parsed_objectives(self) -> tuple[Objective, ...]:
        """The objectives as values."""
        return tuple(promise.parsed for promise in self.promises())

    def promises(self) -> tuple[Promise, ...]:
        """The objectives with what follows when they fail under way."""
        return tuple(promise_of(entry) for entry in self.objectives)


def _misfits(objective: Objective, load: Load) -> list[str]:
    """What an objective asks of a load that the load does not have."""
    if objective.stage is not None:
        numbers = load.stage_numbers(objective.stage)
        if not numbers:
            return [f"{objective.text!r}: there is no stage {objective.stage!r} (name, or 1..N)"]
        if load.timeline()[min(numbers)].phase is not Phase.MEASURE:
            return [f"{objective.text!r}: stage {objective.stage!r} is not measured"]
    if objective.window_ns is not None:
        longest_ns = max((end - start for start, end in load.measured_stretches_ns()), default=0)
        if objective.window_ns > longest_ns:
            return [
                f"{objective.text!r}: the window is longer than the measured load,"
                f" {longest_ns / NS_PER_S:g} s"
            ]
    return []
