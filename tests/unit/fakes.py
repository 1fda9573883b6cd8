"""In-memory parts: the real runner runs on them without a server, a process or a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from harness.clock import NS_PER_MS, NS_PER_S, ManualClock
from harness.errors import StackError
from harness.judge.interim_analysis import InterimAnalysis
from harness.load.status import SwarmTotals
from harness.run.live.summary import LiveSummary, Percentiles
from harness.run.parts import (
    DisplayParts,
    MeasurementParts,
    Parts,
    Progress,
    SamplingParts,
    SystemParts,
)
from harness.scenario import Scenario
from harness.schedule.plan import SwarmPlan
from harness.stack.base import Endpoints, ServiceState

SCENARIO = Scenario.model_validate(
    {
        "name": "fake",
        "about": "a run on fakes",
        "objectives": ["p99 < 500 ms"],
        "load": {
            "warmup_s": 1.0,
            "drain_s": 5.0,
            "stages": [{"agents": 2, "rate_from": 10.0, "duration_s": 4.0}],
        },
    }
)

Hook = Callable[[], None]


@dataclass
class FakeStack:
    """A stack whose services a test sets."""

    restarts: int = 0
    last_exit: int | None = -9
    lost: str = ""
    out_of_pool: bool = False
    calls: list[str] = field(default_factory=list)

    def start(self) -> Endpoints:
        self.calls.append("start")
        return Endpoints(
            redis_url=SecretStr("redis://:secret@127.0.0.1:1/0"),
            observer_dsn=SecretStr("host=127.0.0.1"),
            admin_dsn=SecretStr("host=127.0.0.1"),
        )

    def services(self) -> tuple[ServiceState, ...]:
        if self.lost:
            raise StackError(self.lost, where="engine")
        exit_code = self.last_exit if self.restarts else None
        alive = not self.out_of_pool
        state = ServiceState("engine", 7, alive, self.restarts, exit_code, self.out_of_pool)
        return (state,)

    def describe(self) -> dict[str, Any]:
        self.calls.append("describe")
        return {"kind": "fake", "services": [{"name": "engine", "restarts": self.restarts}]}

    def stop(self) -> None:
        self.calls.append("stop")


@dataclass
class FakeSwarm:
    """Sends on the shared clock; ends when the load is over."""

    clock: ManualClock
    plan: SwarmPlan
    per_s: int = 10
    dies_at_ns: int | None = None
    hangs: bool = False
    stopped: bool = False
    refused: int = 0

    def start(self) -> None: ...

    def pids(self) -> dict[str, int]:
        return {"swarm-0": 8}

    def totals(self) -> SwarmTotals:
        length_ns = self.plan.end_ns - self.plan.t0_ns
        elapsed_ns = min(max(0, self.clock.now_ns() - self.plan.t0_ns), length_ns)
        sent = elapsed_ns * self.per_s // NS_PER_S
        accepted, reported_ns = sent - self.refused, self.clock.now_ns()
        return SwarmTotals(sent, sent, accepted, self.refused, reported_ns=reported_ns)

    def ended(self) -> bool:
        return self.failure() is not None or (
            self.clock.now_ns() > self.plan.end_ns and not self.hangs
        )

    def failure(self) -> str | None:
        if self.dies_at_ns is not None and self.clock.now_ns() >= self.dies_at_ns:
            return "swarm process 0 ended with -9"
        return None

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeObserver:
    """Observes nothing; a test may let it die."""

    death: str = ""
    calls: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")

    def pids(self) -> dict[str, int]:
        return {"observer": 9}

    def failure(self) -> str | None:
        return self.death or None

    def stop(self) -> None:
        self.calls.append("stop")


@dataclass
class FakeSelfMonitoring:
    """Monitors nothing; a test may let it fail."""

    pids: dict[str, int] = field(default_factory=dict)
    failed: str = ""
    calls: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")

    def failure(self) -> str | None:
        return self.failed or None

    def stop(self) -> None:
        self.calls.append("stop")


@dataclass
class FakeTelemetry:
    """Samples nothing; a test may let it fail."""

    failed: str = ""
    calls: list[str] = field(default_factory=list)
    followed: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        self.calls.append("start")

    def follow(self, services: Sequence[ServiceState]) -> None:
        self.followed = {state.name: state.pid for state in services}

    def failure(self) -> str | None:
        return self.failed or None

    def stop(self) -> None:
        self.calls.append("stop")


@dataclass
class FakePages:
    """Counts nothing."""

    calls: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.calls.append("begin")

    def end(self, final: int) -> None:
        self.calls.append(f"end at {final}")


@dataclass
class FakeLive:
    """A backlog that a test sets, or that empties `delay_ns` after each signal."""

    swarm: FakeSwarm
    delay_ns: int = 20 * NS_PER_MS
    stuck: int = 0
    fails_at_ns: int | None = None
    unread_until: int = 0
    updates: int = 0
    analyses: list[tuple[int, InterimAnalysis]] = field(default_factory=list)

    def update(self) -> None:
        self.updates += 1

    @property
    def has_unread_records(self) -> bool:
        return self.updates <= self.unread_until

    @property
    def final(self) -> int:
        return self.swarm.totals().sent - self.backlog

    @property
    def backlog(self) -> int:
        return self.stuck + self.swarm.refused

    def summary(self, now_ns: int) -> LiveSummary:
        percentiles = Percentiles(self.delay_ns, self.delay_ns)
        return LiveSummary(simulated=self.final, final=self.final, latency=percentiles)

    def failed(self, now_ns: int) -> str | None:
        return "made up" if self.fails_at_ns is not None and now_ns >= self.fails_at_ns else None

    def analysis(self, now_ns: int) -> InterimAnalysis | None:
        if self.analyses and now_ns >= self.analyses[0][0]:
            return self.analyses.pop(0)[1]
        return None


class World:
    """All fakes of one run, on one clock, with room for a test to interfere.

    Args:
        scenario: what the run asks.
        at: what happens when the clock passes these times (ns after the start).
    """

    def __init__(self, scenario: Scenario = SCENARIO, at: dict[int, Hook] | None = None) -> None:
        self.scenario = scenario
        self.clock = _HookedClock(at or {})
        self.stack = FakeStack()
        self.observer = FakeObserver()
        self.self_monitoring = FakeSelfMonitoring()
        self.pages = FakePages()
        self.telemetry = FakeTelemetry()
        self.swarm: FakeSwarm | None = None
        self.live: FakeLive | None = None
        self.shown: list[Progress] = []
        self.read_final: Callable[[Endpoints, int, Path], None] = lambda *_: None

    def parts(self) -> Parts:
        """The fakes as parts of a run."""
        return Parts(
            system=SystemParts(
                stack=self.stack,
                make_service_counters=lambda *_: self.pages,
                read_final=lambda *arguments: self.read_final(*arguments),
            ),
            measurement=MeasurementParts(
                make_swarm=self._swarm, make_observer=lambda *_: self.observer
            ),
            sampling=SamplingParts(
                make_self_monitoring=self._self_monitoring, make_telemetry=self._telemetry
            ),
            display=DisplayParts(make_live=lambda *_: self._live(), show=self.shown.append),
            environment=lambda: {"harness": "fake"},
            clock=self.clock,
        )

    def _swarm(self, plan: SwarmPlan) -> FakeSwarm:
        self.swarm = FakeSwarm(self.clock, plan)
        return self.swarm

    def _telemetry(self, endpoints: Endpoints, path: Path) -> FakeTelemetry:
        del endpoints
        path.touch()
        return self.telemetry

    def _self_monitoring(self, path: Path, pids: Mapping[str, int]) -> FakeSelfMonitoring:
        self.self_monitoring.pids = dict(pids)
        return self.self_monitoring

    def _live(self) -> FakeLive:
        assert self.swarm is not None
        self.live = FakeLive(self.swarm)
        return self.live


class _HookedClock(ManualClock):
    def __init__(self, at: dict[int, Hook]) -> None:
        super().__init__(now_ns=NS_PER_S, wall_ns=1_700_000_000 * NS_PER_S)
        self._due = sorted(at.items())

    def advance(self, duration_ns: int) -> None:
        super().advance(duration_ns)
        while self._due and self.now_ns() - NS_PER_S >= self._due[0][0]:
            self._due.pop(0)[1]()
