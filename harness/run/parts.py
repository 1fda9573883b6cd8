"""The parts of a run, as protocols: the command line makes real ones, tests make fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.assessment.assess import Assessment, assess_and_store
from harness.clock import Clock
from harness.evidence.run_documents import RunEvent
from harness.evidence.run_folder import RunFolder
from harness.judge.interim_analysis import InterimAnalysis
from harness.judge.interim_analyzer import InterimAnalyzer
from harness.load.status import SwarmTotals
from harness.run.live.abort_condition import AbortCondition
from harness.run.live.summary import LiveSummary, ServiceUsage
from harness.scenario import Load
from harness.schedule.lead_time import lead_ns
from harness.schedule.plan import SwarmPlan
from harness.stack.base import Endpoints, ServiceState, Stack


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run; a snapshot for people, never evidence.

    Attributes:
        phase: `start`, `warmup`, `measure`, `drain`, or `finish` once sending and observing ended.
        total_ns: length of the load, warm-up included.
        unknown: signals whose answer from Redis was lost.
        backlog: signals sent and not yet seen in a final state, without those refused.
        rate_intended: signals due per second now.
        rate_sent: signals sent per second since the previous snapshot.
        lateness_max_ns: the largest send lag in the newest status lines.
        summary: outcomes of the signals.
        restarts: number of restarts of each service that ended.
        usage: CPU and memory of each service, from the run's telemetry.
        may_end_early: whether the load ends once its objectives are decided.
    """

    phase: str
    elapsed_ns: int
    total_ns: int
    due: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    backlog: int = 0
    agents: int = 0
    rate_intended: float = 0.0
    rate_sent: float = 0.0
    lateness_max_ns: int = 0
    summary: LiveSummary = field(default_factory=LiveSummary)
    restarts: tuple[tuple[str, int], ...] = ()
    events: tuple[RunEvent, ...] = ()
    usage: tuple[ServiceUsage, ...] = ()
    may_end_early: bool = False


ProgressSink = Callable[[Progress], None]


class SwarmPart(Protocol):
    """Sends the signals."""

    def start(self) -> None: ...

    def pids(self) -> Mapping[str, int]:
        """Its processes by name."""
        ...

    def totals(self) -> SwarmTotals: ...

    def ended(self) -> bool:
        """Whether every process has ended."""
        ...

    def failure(self) -> str | None:
        """Why the swarm did not end as it should; None while it runs or when it did."""
        ...

    def stop(self) -> None: ...


class ObserverPart(Protocol):
    """Observes commits; every latency is its measurement."""

    def start(self) -> None:
        """Start and wait until it watches; StackError when it does not."""
        ...

    def pids(self) -> Mapping[str, int]:
        """Its process by name."""
        ...

    def failure(self) -> str | None: ...

    def stop(self) -> None:
        """Let it read what is committed, then end it."""
        ...


class SelfMonitoringPart(Protocol):
    """Samples the resource use of the harness itself."""

    def start(self) -> None: ...

    def failure(self) -> str | None: ...

    def stop(self) -> None: ...


class TelemetryPart(Protocol):
    """Samples the resource use of the system; no measurement depends on it."""

    def start(self) -> None: ...

    def follow(self, services: Sequence[ServiceState]) -> None:
        """The services now: a process may have been replaced."""
        ...

    def failure(self) -> str | None: ...

    def stop(self) -> None: ...


class PoolPart(Protocol):
    """Samples the consumer group that agents share."""

    def start(self) -> None: ...

    def end(self, timeout_s: float) -> None:
        """Sample once more and end; may be called twice."""
        ...


class ServiceCountersPart(Protocol):
    """Reads the counters of the services."""

    def begin(self) -> None: ...

    def end(self, final: int) -> None:
        """Read again until this number of final signals is counted, and write both reads."""
        ...


class FeaturePart(Protocol):
    """A feature that acts on the run, such as its faults or its gate."""

    def start(self, t0_ns: int) -> None:
        """Begin the schedule; UsageError when the stack does not support it."""
        ...

    def drain_messages(self) -> tuple[str, ...]:
        """What has happened since the previous call."""
        ...

    def failure(self) -> str | None: ...

    def stop(self, *, abort: bool = False) -> None:
        """Undo and record everything; wait for what is planned, or undo it now on abort."""
        ...


class LiveView(Protocol):
    """Running figures of a run under way."""

    def update(self) -> None:
        """Read what was journaled and observed since the previous call."""
        ...

    @property
    def has_unread_records(self) -> bool:
        """Whether the previous update left records for the next one."""
        ...

    @property
    def final(self) -> int: ...

    @property
    def backlog(self) -> int:
        """Signals sent and not yet seen in a final state."""
        ...

    def summary(self, now_ns: int) -> LiveSummary:
        """Outcomes of the signals so far."""
        ...

    def failed(self, now_ns: int) -> str | None:
        """Why an objective that may end the run can no longer be met; None while all can."""
        ...

    def analysis(self, now_ns: int) -> InterimAnalysis | None:
        """The interim analysis that is due now; None where none is."""
        ...


@dataclass(frozen=True, slots=True)
class Feature:
    """What acts on a run apart from its load; the run knows no feature by name.

    Attributes:
        make: makes the part once stack and swarm are up.
        message_kind: kind of the events for its messages.
        failure_kind: kind of the event for its failure.
        evidence: names of its files in the run's folder.
        verify: checks its effects after the load and the final state, unless the run was aborted;
            raises HarnessError when it cannot.
        close: releases what outlives the part; called in any case.
    """

    make: Callable[[Endpoints, SwarmPart], FeaturePart]
    message_kind: str
    failure_kind: str
    evidence: tuple[str, ...]
    verify: Callable[[], None] = lambda: None
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class SystemParts:
    """The system under test, and what is read of it before and after the load.

    Attributes:
        read_starts: first nonce of each address; empty for a database that is new.
        read_final: writes the final state.
    """

    stack: Stack
    make_service_counters: Callable[[Endpoints, Path], ServiceCountersPart]
    read_final: Callable[[Endpoints, int, Path], None]
    read_starts: Callable[[Endpoints, int], dict[int, int]] = lambda *_: {}


@dataclass(frozen=True, slots=True)
class MeasurementParts:
    """What sends the signals and what observes them.

    Attributes:
        lead_ns: time between the start of a swarm and its first signal.
    """

    make_swarm: Callable[[SwarmPlan], SwarmPart]
    make_observer: Callable[[Endpoints, int], ObserverPart]
    lead_ns: Callable[[Load], int] = lambda load: lead_ns(load, cores=1, queue=0.0)


@dataclass(frozen=True, slots=True)
class SamplingParts:
    """What samples resources while the load runs.

    Attributes:
        make_pool_watch: None where agents share no consumer group.
    """

    make_self_monitoring: Callable[[Path, Mapping[str, int]], SelfMonitoringPart]
    make_telemetry: Callable[[Endpoints, Path], TelemetryPart]
    make_pool_watch: Callable[[Endpoints, Path], PoolPart] | None = None


@dataclass(frozen=True, slots=True)
class DisplayParts:
    """What shows the run while it is under way."""

    make_live: Callable[
        [Path, SwarmPlan, Sequence[AbortCondition], InterimAnalyzer | None], LiveView
    ]
    show: ProgressSink


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of a run, by concern; those that need the stack's addresses are made later.

    Attributes:
        features: started in this order, stopped in reverse order.
        environment: describes host and software, for the evidence.
        assess: judges the sealed evidence, and stores the result.
    """

    system: SystemParts
    measurement: MeasurementParts
    sampling: SamplingParts
    display: DisplayParts
    clock: Clock
    environment: Callable[[], dict[str, Any]]
    features: tuple[Feature, ...] = ()
    assess: Callable[[RunFolder], Assessment] = assess_and_store
