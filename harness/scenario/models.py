"""The scenario as frozen values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S
from harness.scenario.agent_containers import AgentContainers
from harness.scenario.fault import (
    Fault,
    PlannedFault,
    find_misfits,
    find_misplaced,
    occurrence_count,
    plan_faults,
)
from harness.scenario.fault_base import TIMES_MAX
from harness.scenario.gate import Gate
from harness.scenario.isolation import Isolation
from harness.scenario.load import Load, Phase, Stage
from harness.scenario.objective import SLO, Objective, ObjectiveEntry, parse_slo
from harness.scenario.sentinel import Sentinel
from harness.scenario.stage_recovery import stage_recovery_misfits
from harness.scenario.system_settings import PostgresSettings, Quotas, setting_text

__all__ = [
    "Chain",
    "Engine",
    "Load",
    "Phase",
    "Redis",
    "Scenario",
    "Signals",
    "Stage",
    "Telemetry",
]

Share = Annotated[float, Field(ge=0, le=1)]
SEED_MAX = 2**63 - 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Signals(_Frozen):
    """Content of the signals."""

    full_share: Share = 0.0
    addresses: Literal["distinct", "hot"] = "distinct"
    hot_share: Share = 1.0
    chain_id: Annotated[int, Field(ge=1)] = 1
    memo_bytes: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    max_slippage_bps: Annotated[int, Field(ge=0, le=10_000)] = 100
    # Below 1: no objective covers stale signals, so a load of them alone cannot be judged.
    stale_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Chain(_Frozen):
    """The chain that the agents follow."""

    block_time_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    watermark_max_lag: Annotated[int, Field(ge=0)] = 2
    # By default the time of `watermark_max_lag` blocks: 24 s with blocks of 12 s.
    stale_within_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    nodes: Annotated[int, Field(ge=0, le=8)] = 0

    @property
    def sentinel(self) -> Sentinel:
        """The rule by which a signal is stale."""
        return Sentinel.of(self.block_time_s, self.watermark_max_lag, self.stale_within_s)


class Redis(_Frozen):
    """Settings of the Redis that is started; an attached one keeps its own."""

    maxmemory_mb: Annotated[int, Field(ge=0, le=65_536)] = 0
    # None is one server outside of a cluster.
    cluster_nodes: Literal[1, 3, 6] | None = None
    stream_maxlen: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000


class Engine(_Frozen):
    """Settings of the reference engine; another engine ignores them.

    Attributes:
        service: the engine has a known capacity, see `docs/capacity.md`.
        service_rate: of it, in signals/s; None without a service.
        servers: that share the rate.
    """

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    defects: Annotated[tuple[str, ...], Field(strict=False)] = ()
    service: Literal["token_bucket", "mmc"] | None = None
    service_rate: Annotated[float, Field(gt=0, le=100_000)] | None = None
    servers: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _has_a_whole_service(self) -> Engine:
        if (self.service is None) != (self.service_rate is None):
            raise ValueError("service and service_rate belong together: set both, or neither")
        if self.servers > 1 and self.service != "mmc":
            raise ValueError('servers are those of service = "mmc"')
        if self.service is not None and self.workers != 1:
            raise ValueError("a service needs workers = 1: one worker keeps its queue")
        if self.service is not None and self.defects:
            raise ValueError("an engine with a service has no defects: leave out one of the two")
        return self

    @property
    def service_variables(self) -> tuple[tuple[str, str], ...]:
        """Variables of the reference engine's environment; none without a service."""
        if self.service is None:
            return ()
        return (
            ("DEFI_SERVICE", self.service),
            ("DEFI_SERVICE_RATE", f"{self.service_rate:g}"),
            ("DEFI_SERVICE_SERVERS", str(self.servers)),
        )


class Telemetry(_Frozen):
    """Sampling of resources during the run."""

    enabled: bool = True
    every_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0


class Scenario(_Frozen):
    """One load with its objectives: what a run executes and judges."""

    # The kinds of faults are loaded with the first scenario, and not with this module.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    about: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 1
    load: Load
    signals: Signals = Signals()
    chain: Chain = Chain()
    redis: Redis = Redis()
    engine: Engine = Engine()
    quota: Quotas = {}
    postgres: PostgresSettings = {}
    agent_containers: AgentContainers = AgentContainers()
    telemetry: Telemetry = Telemetry()
    objectives: Annotated[tuple[ObjectiveEntry, ...], Field(min_length=1, strict=False)]
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
        problems += stage_recovery_misfits(self.parsed_objectives(), self.load)
        if not self.telemetry.enabled:
            problems += [
                f"{one.text!r}: it is read from the telemetry, which is switched off"
                for one in self.parsed_objectives()
                if one.limit_bytes_per_h is not None
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _faults_fit_the_load(self) -> Scenario:
        if (times := occurrence_count(self.fault)) > TIMES_MAX:
            raise ValueError(f"{times} faults are more than {TIMES_MAX}")
        spans = self.load.measured_stretches_ns()
        problems = find_misplaced(self.planned_faults(), spans[-1][1] if spans else 0)
        problems += find_misfits(self.fault, self.chain.sentinel)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _may_end_when_decided(self) -> Scenario:
        if self.load.until_decided_s is None:
            return self
        fixed = {"[[fault]]": self.fault, "[isolation]": self.isolation, "[gate]": self.gate}
        problems = [f"{name} needs a load of fixed length" for name, one in fixed.items() if one]
        objectives = self.parsed_objectives()
        problems += [
            f"{one.text!r}: there is one stage, leave out 'stage'"
            for one in objectives
            if one.stage is not None
        ]
        if not any(one.is_estimated for one in objectives):
            problems.append("no objective has a confidence interval, so one analysis is enough")
        if problems:
            raise ValueError(f"load.until_decided_s: {'; '.join(problems)}")
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
        spans = self.load.measured_stretches_ns()
        end_ns = self.gate_start_ns + self.gate.timeout_ns
        if not spans or end_ns >= spans[-1][1]:
            raise ValueError(
                f"gate: it may last until {end_ns / NS_PER_S:g} s of the load, and the measured"
                f" load ends at {spans[-1][1] / NS_PER_S if spans else 0:g} s"
            )
        return self

    @model_validator(mode="after")
    def _steps_fit_the_load(self) -> Scenario:
        steps, spans = self.agent_containers.steps, self.load.measured_stretches_ns()
        if not steps:
            return self
        length_s = (spans[-1][1] - spans[0][0]) / NS_PER_S if spans else 0.0
        if steps[-1].at_s >= length_s:
            raise ValueError(
                f"agent_containers.steps: the last one is at {steps[-1].at_s:g} s, and the"
                f" measured load is {length_s:g} s"
            )
        if self.load.until_decided_s is not None:
            raise ValueError(
                "load.until_decided_s: agent_containers.steps need a load of fixed length"
            )
        return self

    @property
    def gate_start_ns(self) -> int:
        """Start of the gate's node, after t0."""
        spans = self.load.measured_stretches_ns()
        start_ns = spans[0][0] if spans else 0
        return start_ns + (self.gate.at_ns if self.gate else 0)

    def planned_faults(self) -> tuple[PlannedFault, ...]:
        """Every fault with its time after t0, in order."""
        spans = self.load.measured_stretches_ns()
        return plan_faults(self.fault, self.seed, spans[0][0] if spans else 0)

    @property
    def system_changes(self) -> tuple[str, ...]:
        """What of the system differs from the specification, `key=value` each."""
        quotas = (
            f"quota.{service}.{key}={value}"
            for service, quota in self.quota.items()
            for key, value in quota.model_dump(exclude_none=True).items()
        )
        settings = (f"postgres.{name}={setting_text(v)}" for name, v in self.postgres.items())
        return (*quotas, *settings)

    @property
    def needs_anvil(self) -> bool:
        """Whether some signals are simulated in full."""
        return self.signals.full_share > 0

    @property
    def has_feed_stall(self) -> bool:
        """Whether a fault stalls the agents' chain feed, so that their data become stale."""
        return any(fault.stalls_feed for fault in self.fault)

    def parsed_objectives(self) -> tuple[Objective, ...]:
        """The parsed objectives."""
        return tuple(slo.parsed for slo in self.slos())

    def slos(self) -> tuple[SLO, ...]:
        """The objectives with their abort conditions."""
        return tuple(parse_slo(entry) for entry in self.objectives)


def _misfits(objective: Objective, load: Load) -> list[str]:
    """What an objective needs of a load and the load does not have."""
    if objective.stage is not None:
        numbers = load.stage_numbers(objective.stage)
        if not numbers:
            return [f"{objective.text!r}: there is no stage {objective.stage!r} (name, or 1..N)"]
        is_measured = load.timeline()[min(numbers)].phase is Phase.MEASURE
        if not is_measured and not objective.is_stage_recovery:
            return [f"{objective.text!r}: stage {objective.stage!r} is not measured"]
    if objective.window_ns is not None:
        longest_ns = max((end - start for start, end in load.measured_stretches_ns()), default=0)
        if objective.window_ns > longest_ns:
            return [
                f"{objective.text!r}: the window is longer than the measured load,"
                f" {longest_ns / NS_PER_S:g} s"
            ]
    return []
