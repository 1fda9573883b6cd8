"""The parts that a run is made of, as protocols: the command line picks real ones, tests fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.assessment.assess import Assessment, assess_and_store
from harness.clock import Clock
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

__all__ = [
    "BackgroundPart",
    "BackupPart",
    "LiveView",
    "ObserverPart",
    "Parts",
    "PoolPart",
    "Progress",
    "ProgressSink",
    "RunEvent",
    "SelfMonitoringPart",
    "ServiceCountersPart",
    "SwarmPart",
    "TelemetryPart",
]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something that happened during a run and that its judgement must know.

    Attributes:
        kind: one of the kinds that `harness.judge.validity` knows.
        what: one sentence with the figures.
        mono_ns: when it was noticed.
    """

    kind: str
    what: str
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; a snapshot for people, never evidence.

    Attributes:
        phase: `start`, `warmup`, `measure`, `drain`, or `finish` once nothing is sent or seen
            any more.
        total_ns: length of the load, warm-up included.
        unknown: signals whose answer from Redis was lost.
        backlog: signals sent and not yet seen in a final state, but for those refused.
        rate_intended: signals due per second now.
        rate_sent: signals sent per second since the last snapshot.
        lateness_max_ns: the longest that a signal was late in the newest status lines.
        seen: what has come of the signals.
        restarts: how often each service that ended was started again.
        usage: what each service used, by the run's telemetry.
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


ProgressSink = Callable[[Progress], None]


class SwarmPart(Protocol):
    """The swarm, from the run's point of view."""

    def start(self) -> None: ...

    def pids(self) -> Mapping[str, int]:
        """Its processes by name."""
        ...

    def totals(self) -> SwarmTotals: ...

    def ended(self) -> bool:
        """Whether every process is gone."""
        ...

    def failure(self) -> str | None:
        """Why the swarm did not end as it should; None while it runs or when it did."""
        ...

    def stop(self) -> None: ...


class ObserverPart(Protocol):
    """The observer, from the run's point of view."""

    def start(self) -> None:
        """Start and wait until it watches; StackError when it does not."""
        ...

    def pids(self) -> Mapping[str, int]:
        """Its process by name."""
        ...

    def failure(self) -> str | None: ...

    def stop(self) -> None:
        """Let it take what is committed, then end it."""
        ...


class SelfMonitoringPart(Protocol):
    """Watches what the harness itself has to work with, from the run's point of view."""

    def start(self) -> None: ...

    def failure(self) -> str | None: ...

    def stop(self) -> None: ...


class BackgroundPart(Protocol):
    """Injects the scenario's faults, or keeps its gate, from the run's point of view."""

    def start(self, t0_ns: int) -> None:
        """Begin the schedule; UsageError when the stack cannot have such a fault."""
        ...

    def drain_messages(self) -> tuple[str, ...]:
        """What has happened since the last question."""
        ...

    def failure(self) -> str | None: ...

    def stop(self, *, abort: bool = False) -> None:
        """Wait until every fault is healed and written down; in a abort heal them now."""
        ...


class BackupPart(Protocol):
    """The backups that a scenario takes, from the run's point of view."""

    def verify_restores(self) -> None:
        """Restore some into a new server, and write down what came; EvidenceError if it cannot."""
        ...

    def close(self) -> None:
        """Remove them."""
        ...


class TelemetryPart(Protocol):
    """Looks at what the system's parts use, from the run's point of view; no measuring device."""

    def start(self) -> None: ...

    def follow(self, services: Sequence[ServiceState]) -> None:
        """The services now: a process may be another one than before."""
        ...

    def failure(self) -> str | None: ...

    def stop(self) -> None: ...


class PoolPart(Protocol):
    """Looks at the group that agents share, from the run's point of view."""

    def start(self) -> None: ...

    def end(self, timeout_s: float) -> None:
        """Look once more and end; may be called twice."""
        ...


class ServiceCountersPart(Protocol):
    """Reads what the services count, from the run's point of view."""

    def begin(self) -> None: ...

    def end(self, final: int) -> None:
        """Read again, once so many signals that were seen final are counted, and write it down."""
        ...


class LiveView(Protocol):
    """Running figures of a run under way."""

    def update(self) -> None:
        """Take in what was journaled and seen since the last call."""
        ...

    @property
    def has_unread_records(self) -> bool:
        """Whether the last update left something that was there."""
        ...

    @property
    def final(self) -> int: ...

    @property
    def backlog(self) -> int:
        """Signals sent and not yet seen in a final state."""
        ...

    def summary(self, now_ns: int) -> LiveSummary:
        """What has come of the signals so far."""
        ...

    def failed(self, now_ns: int) -> str | None:
        """Why an objective that may end the run cannot be kept any more; None while all can."""
        ...

    def analysis(self, now_ns: int) -> InterimAnalysis | None:
        """The interim analysis that is due now; None where none is."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Concrete parts and the way to make those that need the stack's addresses first.

    Attributes:
        lead_ns: how long before its first signal the swarm of a load is started.
        assess: judges the sealed evidence, and stores what comes of it.
    """

    stack: Stack
    make_swarm: Callable[[SwarmPlan], SwarmPart]
    make_observer: Callable[[Endpoints, int], ObserverPart]
    make_self_monitoring: Callable[[Path, Mapping[str, int]], SelfMonitoringPart]
    make_live: Callable[
        [Path, SwarmPlan, Sequence[AbortCondition], InterimAnalyzer | None], LiveView
    ]
    make_service_counters: Callable[[Endpoints, Path], ServiceCountersPart]
    make_telemetry: Callable[[Endpoints, Path], TelemetryPart]
    read_final: Callable[[Endpoints, int, Path], None]
    environment: Callable[[], dict[str, Any]]
    clock: Clock
    show: ProgressSink
    read_starts: Callable[[Endpoints, int], dict[int, int]] = lambda *_: {}
    lead_ns: Callable[[Load], int] = lambda load: lead_ns(load, cores=1, queue=0.0)
    make_faults: Callable[[Endpoints, Path, SwarmPart], BackgroundPart] | None = None
    backups: BackupPart | None = None
    make_pool_watch: Callable[[Endpoints, Path], PoolPart] | None = None
    assess: Callable[[RunFolder], Assessment] = assess_and_store
    make_gate: Callable[[Path], BackgroundPart] | None = None
    warnings: Sequence[str] = field(default_factory=tuple)
