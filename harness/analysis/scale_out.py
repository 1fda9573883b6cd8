"""What a scale-out of the agents did: their events and signals, and the services beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from harness.analysis.clock_map import ClockMap
from harness.analysis.integrity.pending_takeover import (
    PendingSnapshot,
    Takeover,
    analyze_takeover,
)
from harness.evidence.scale_log import (
    AgentInstance,
    ScaleLog,
    ScaleStepRecord,
    ServiceIdentity,
)


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """A value of a service that is not what it was before the first step.

    Attributes:
        when: the first reading that shows it: `before step 1`, `after step 1`, `end`.
    """

    service: str
    setting: str
    before: str
    after: str
    when: str


@dataclass(frozen=True, slots=True)
class ConsumerPeriod:
    """Events of the shared group while the number of agents was the same.

    Attributes:
        start_ns: when every new agent had had an event; `end_ns`: the next step, or the end.
        events: by agent, also those without any.
    """

    start_ns: int
    end_ns: int
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Departure:
    """An agent that a step ended, and what became of its pending events."""

    agent: AgentInstance
    left_ns: int
    takeover: Takeover


@dataclass(frozen=True, slots=True)
class ScaleOutAnalysis:
    """A scale-out.

    Attributes:
        first_event_ns: by host of an agent, when an event was first pending for it; monotonic.
        first_simulated_ns: by host, when its first signal reached SIMULATED; monotonic.
        changes: of the services, one for each value.
        periods: before the first step, and after each one that was done.
        watched_ns: last sample of the shared group; 0 without one.
    """

    log: ScaleLog
    first_event_ns: Mapping[str, int]
    first_simulated_ns: Mapping[str, int]
    changes: tuple[ServiceChange, ...]
    periods: tuple[ConsumerPeriod, ...]
    departures: tuple[Departure, ...]
    watched_ns: int

    def settled_ns(self, step: ScaleStepRecord) -> int | None:
        """When a step was done and each new agent had had an event; None if it was not done."""
        if step.scaled_ns is None:
            return None
        served = (self.first_event_ns.get(one.host, 0) for one in self.log.new_agents(step))
        return max(step.scaled_ns, *served, 0)


def analyze_scale_out(
    log: ScaleLog,
    snapshots: Sequence[PendingSnapshot],
    postgres: ClockMap | None,
    load_end_ns: int,
) -> ScaleOutAnalysis:
    """The analysis of a scale-out.

    Args:
        log: what was done.
        snapshots: pending events of the shared group, in order.
        postgres: map of the database's clock; without it no first signal is known.
        load_end_ns: end of the load, monotonic; 0 where unknown.
    """
    hosts = {one.host for one in _all_agents(log)}
    first_event, events = _first_holders(snapshots, hosts)
    departures = tuple(
        Departure(one, step.scaled_ns, analyze_takeover(snapshots, one.host, step.scaled_ns))
        for step in log.steps
        if step.scaled_ns is not None
        for one in log.left_agents(step)
    )
    found = ScaleOutAnalysis(
        log=log,
        first_event_ns=first_event,
        first_simulated_ns=_first_signals(log, postgres),
        changes=tuple(_changes(log)),
        periods=(),
        departures=departures,
        watched_ns=snapshots[-1].mono_ns if snapshots else 0,
    )
    end_ns = min(load_end_ns or found.watched_ns, found.watched_ns)
    return replace(found, periods=tuple(_periods(found, events, end_ns)))


def _all_agents(log: ScaleLog) -> Iterator[AgentInstance]:
    yield from log.begin.agents if log.begin else ()
    for step in log.steps:
        yield from step.agents


def _first_holders(
    snapshots: Sequence[PendingSnapshot], hosts: set[str]
) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """When each host first had an event; of each event, when and by whom it was first held."""
    first: dict[str, int] = {}
    owner: dict[str, str] = {}
    held: dict[str, tuple[int, str]] = {}
    for snapshot in snapshots:
        for consumer, events in (snapshot.pending or {}).items():
            if consumer not in owner:
                owner[consumer] = next((host for host in hosts if host in consumer), "")
            if not (host := owner[consumer]):
                continue
            first.setdefault(host, snapshot.mono_ns)
            for event in events:
                held.setdefault(event, (snapshot.mono_ns, host))
    return first, list(held.values())


def _first_signals(log: ScaleLog, postgres: ClockMap | None) -> dict[str, int]:
    if log.end is None or log.end.signals is None or postgres is None:
        return {}
    known = [one for one in log.end.signals if one.first_simulated_us is not None]
    stamps = np.array([one.first_simulated_us for one in known], dtype=np.int64)
    if not known:
        return {}
    return dict(zip((one.host for one in known), map(int, postgres.mono_ns(stamps)), strict=True))


def _readings(log: ScaleLog) -> Iterator[tuple[str, tuple[ServiceIdentity, ...]]]:
    for step in log.steps:
        if step.asked_ns is not None:
            yield f"before step {step.number}", step.before
        if step.scaled_ns is not None:
            yield f"after step {step.number}", step.services
    if log.end is not None:
        yield "end", log.end.services


def _changes(log: ScaleLog) -> Iterator[ServiceChange]:
    known: set[tuple[str, str]] = set()
    first = {one.name: one.settings() for one in log.begin.services} if log.begin else {}
    for when, services in _readings(log):
        now = {one.name: one.settings() for one in services}
        for name in sorted({*first, *now}):
            old, new = first.get(name, {}), now.get(name, {})
            for setting in sorted({*old, *new} if old and new else {"id"}):
                values = (old.get(setting, "absent"), new.get(setting, "absent"))
                if values[0] != values[1] and (name, setting) not in known:
                    known.add((name, setting))
                    yield ServiceChange(name, setting, *values, when)


def _periods(
    found: ScaleOutAnalysis, events: Sequence[tuple[int, str]], end_ns: int
) -> Iterator[ConsumerPeriod]:
    log = found.log
    if log.begin is None:
        return
    done = [step for step in log.steps if step.scaled_ns is not None]
    starts = [(log.begin.mono_ns, log.begin.agents)]
    starts += [(found.settled_ns(step) or 0, step.agents) for step in done]
    ends = [step.asked_ns or 0 for step in done] + [end_ns]
    for (start_ns, agents), until_ns in zip(starts, ends, strict=True):
        counts = Counter(host for seen_ns, host in events if start_ns <= seen_ns < until_ns)
        yield ConsumerPeriod(
            start_ns, max(start_ns, until_ns), {one.host: counts[one.host] for one in agents}
        )


def step_windows(
    found: ScaleOutAnalysis, start_ns: int, end_ns: int, length_ns: int
) -> Iterator[tuple[ScaleStepRecord, str, int, int]]:
    """Windows of time around each step that was done: step, name, start and end; monotonic.

    Args:
        found: the analysis.
        start_ns: start of the measured phase.
        end_ns: its end.
        length_ns: of `before` and `after`, which neighbouring steps cut short.
    """
    done = [step for step in found.log.steps if step.asked_ns is not None and step.scaled_ns]
    settled = [found.settled_ns(step) or 0 for step in done]
    asked = [step.asked_ns or 0 for step in done]
    limits = pairwise((start_ns, *settled))
    later = (*asked, end_ns)[1:]
    for step, (earliest, own_settled), own_asked, latest in zip(
        done, limits, asked, later, strict=True
    ):
        yield step, "before", max(earliest, own_asked - length_ns), own_asked
        yield step, "during", own_asked, own_settled
        yield step, "after", own_settled, min(latest, own_settled + length_ns)
