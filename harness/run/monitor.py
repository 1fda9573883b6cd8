"""Monitors a run under way: events, snapshots, and when the load and the drain end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.clock import NS_PER_MS, NS_PER_S
from harness.errors import StackError
from harness.evidence.run_documents import RunEvent
from harness.judge.interim_analysis import InterimAnalysis, format_analysis
from harness.run.live.snapshot import SnapshotBuilder
from harness.run.parts import (
    Feature,
    FeaturePart,
    LiveView,
    ObserverPart,
    Parts,
    SwarmPart,
    TelemetryPart,
)
from harness.scenario import Load
from harness.stack.base import ServiceState

TICK_NS = 200 * NS_PER_MS
SHOW_EVERY_NS = NS_PER_S
# After the last signal is final: time for effects that must not occur (a second transition).
SETTLE_NS = NS_PER_S
# A swarm that has not ended by then is stopped.
SWARM_GRACE_NS = 30 * NS_PER_S
# At the end, for files that grew faster than they were read: some 10 million signals.
_CATCH_UP_MAX = 200


@dataclass(slots=True)
class RunMonitor:
    """Watches swarm, observer and services between the first signal and the last.

    Attributes:
        on_event: receives each event at once, for those who watch from outside.
        features: each with the part that it made; started in this order, stopped in reverse.
        events: what the judge must know, in order.
        analyses: the interim analyses, in order.
        drain_deadline_ns: when signals that are not final count as lost; 0 before the drain.
        load_end_ns: when the swarm had ended; 0 before that.
    """

    parts: Parts
    swarm: SwarmPart
    observer: ObserverPart
    live: LiveView
    telemetry: TelemetryPart
    load: Load
    t0_ns: int
    on_event: Callable[[RunEvent], None] = lambda _: None
    features: Sequence[tuple[Feature, FeaturePart]] = ()
    events: list[RunEvent] = field(default_factory=list)
    analyses: list[InterimAnalysis] = field(default_factory=list)
    drain_deadline_ns: int = 0
    load_end_ns: int = 0
    _aborted: bool = False
    _is_ending: bool = False
    _restarts: dict[str, int] = field(default_factory=dict)
    _out_of_pool: set[str] = field(default_factory=set)
    _shown_ns: int = 0
    _snapshots: SnapshotBuilder = field(init=False)

    def __post_init__(self) -> None:
        self._snapshots = SnapshotBuilder(self.load, self.t0_ns)

    def until_sent(self) -> None:
        """Monitor until the swarm has ended, or the run cannot go on."""
        deadline_ns = self.t0_ns + self._snapshots.load_ns + SWARM_GRACE_NS
        while not self.swarm.ended():
            self._tick(self._snapshots.phase_at(self.parts.clock.now_ns()))
            if self._hopeless():
                return
            if failed := self.live.failed(self.parts.clock.now_ns()):
                self._abort(failed)
                return
            if self._decided():
                return
            if self.parts.clock.now_ns() > deadline_ns:
                self.note(
                    "swarm_died",
                    f"the swarm had not ended {SWARM_GRACE_NS / NS_PER_S:.0f} s"
                    " after its last signal was due",
                )
                return
        if failure := self.swarm.failure():
            self.note("swarm_died", failure)

    def until_drained(self) -> None:
        """Monitor until every accepted signal is final, or the scenario's drain time is over."""
        clock = self.parts.clock
        self.load_end_ns = self.load_end_ns or clock.now_ns()
        self.drain_deadline_ns = clock.now_ns() + round(self.load.drain_s * NS_PER_S)
        drained_since_ns: int | None = None
        while clock.now_ns() < self.drain_deadline_ns and not self._hopeless():
            self._tick("drain")
            if self._open() > 0:
                drained_since_ns = None
            elif drained_since_ns is None:
                drained_since_ns = clock.now_ns()
            elif clock.now_ns() - drained_since_ns >= SETTLE_NS:
                return

    def finish(self) -> None:
        """Show all that was sent and observed, once swarm and observer have stopped."""
        for _ in range(_CATCH_UP_MAX):
            self.live.update()
            if not self.live.has_unread_records:
                break
        self._show("finish", self.parts.clock.now_ns())

    def _abort(self, why: str) -> None:
        """End the load; signals under way are drained and judged as in any other run."""
        self.note("aborted", why)
        self._aborted = True
        self._end_load()

    def _decided(self) -> bool:
        """Whether an interim analysis has decided, so that the load was ended."""
        analysis = self.live.analysis(self.parts.clock.now_ns())
        if analysis is None:
            return False
        self.analyses.append(analysis)
        if not analysis.left_s:
            return False
        self.note("decided" if analysis.is_decided else "undecided", format_analysis(analysis))
        if analysis.is_decided:
            self._end_load()
        return analysis.is_decided

    def _end_load(self) -> None:
        self._is_ending = True
        self.swarm.stop()
        self.load_end_ns = self.parts.clock.now_ns()

    def note(self, kind: str, what: str, service: ServiceState | None = None) -> None:
        """Keep an event for the judge, with the state of the service that it is about."""
        event = RunEvent(
            kind=kind,
            what=what,
            mono_ns=self.parts.clock.now_ns(),
            subject=None if service is None else service.name,
            exit_code=None if service is None else service.last_exit,
            restarts=None if service is None else service.restarts,
        )
        self.events.append(event)
        self.on_event(event)

    def start_features(self) -> None:
        """Begin the schedule of every feature."""
        for _, part in self.features:
            part.start(self.t0_ns)

    def stop_features(self) -> None:
        """Stop every feature, the last first; at once if the run was aborted."""
        for feature, part in reversed(self.features):
            part.stop(abort=self.is_aborted)
            self._note_messages()
            if failure := part.failure():
                self.note(feature.failure_kind, failure)

    @property
    def is_aborted(self) -> bool:
        """Whether something ended the run before its time."""
        interrupted = any(event.kind == "interrupted" for event in self.events)
        return self._aborted or interrupted or self._hopeless()

    def _open(self) -> int:
        totals = self.swarm.totals()
        return self.live.backlog - totals.refused

    def _hopeless(self) -> bool:
        return any(
            event.kind in {"observer_died", "swarm_died", "stack_lost"} for event in self.events
        )

    def _tick(self, phase: str) -> None:
        self.parts.clock.sleep_ns(TICK_NS)
        self._watch()
        now_ns = self.parts.clock.now_ns()
        if now_ns - self._shown_ns >= SHOW_EVERY_NS or phase == "drain":
            self.live.update()
        if now_ns - self._shown_ns >= SHOW_EVERY_NS:
            self._show(phase, now_ns)

    def _watch(self) -> None:
        if failure := self.observer.failure():
            self.note("observer_died", failure)
        self._note_messages()
        # A swarm that is stopped before its time reports a failure, which is no death.
        if not self._is_ending and self.swarm.ended() and (failure := self.swarm.failure()):
            self.note("swarm_died", failure)
        try:
            services = self.parts.system.stack.services()
        except StackError as error:
            self.note("stack_lost", str(error))
            return
        self.telemetry.follow(services)
        for service in services:
            self._note_pool(service)
            if service.restarts > self._restarts.get(service.name, 0):
                self._restarts[service.name] = service.restarts
                # How a server ended that another party runs is not known.
                how = "" if service.last_exit is None else f"ended with {service.last_exit} and "
                self.note(
                    "service_restarted",
                    f"{service.name} {how}was restarted (restart {service.restarts})",
                    service,
                )

    def _note_messages(self) -> None:
        for feature, part in self.features:
            for message in part.drain_messages():
                self.note(feature.message_kind, message)

    def _note_pool(self, service: ServiceState) -> None:
        """Note once that a service will not be restarted."""
        if not service.out_of_pool:
            self._out_of_pool.discard(service.name)
        elif service.name not in self._out_of_pool:
            self._out_of_pool.add(service.name)
            self.note(
                "out_of_pool",
                f"{service.name} is out of the pool: it ended with {service.last_exit} after"
                f" {service.restarts} restarts, and its policy allows no more",
                service,
            )

    def _show(self, phase: str, now_ns: int) -> None:
        totals = self.swarm.totals()
        snapshot = self._snapshots.snapshot(
            phase, now_ns, totals, self.live, self._restarts, self.events
        )
        self.parts.display.show(snapshot)
        self._shown_ns = now_ns
