"""Figures of a scale-out: times of each step, latency around it, events of each agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict

from harness.analysis.phase_timeline import Timeline
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.scale_out import ScaleOutAnalysis, step_windows
from harness.analysis.series import Series
from harness.analysis.statistics import estimate_effective_sample, percentile_interval
from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.scale_log import AgentInstance, ScaleStepRecord
from harness.scenario.models import Phase

PERCENTILE = 99.0
# Before and after a step; 1,500 signals at 100/s.
WINDOW_NS = 15 * NS_PER_S


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentDelays(_Value):
    """A duration of each new agent.

    Attributes:
        missing: agents without it.
    """

    count: int
    missing: int
    median_ns: int | None
    max_ns: int | None


class StepLatency(_Value):
    """P99 of the measured signals that were intended in a window of time around a step.

    A rejected signal counts with the time until the observation ended.

    Attributes:
        window: `before`, `during` (from the request until each new agent had an event), `after`.
        lower_ns, upper_ns: bounds of P99 at 95 % each; None where the sample is too small.
    """

    window: str
    mode: str
    start_s: float
    end_s: float
    count: int
    p99_ns: int | None
    lower_ns: int | None
    upper_ns: int | None


class ScaleStepFigures(_Value):
    """One step; times are seconds after t0.

    Attributes:
        agents_before, agents: agents that ran before and after; `wanted`: as planned.
        asked_s: when the scaling began; None if it never did.
        scaled_ns: from then until all new agents ran and those that left had ended.
        running: from then until the process of each new agent had started.
        first_event, first_simulated: from the start of each new agent's process.
    """

    number: int
    agents_before: int
    wanted: int
    agents: int
    started: int
    left: int
    planned_s: float
    asked_s: float | None
    scaled_ns: int | None
    running: AgentDelays
    first_event: AgentDelays
    first_simulated: AgentDelays
    latency: tuple[StepLatency, ...]


class ConsumerFigures(_Value):
    """Events of the shared group by agent, while the number of agents was the same.

    Attributes:
        without: agents without an event.
        smallest, largest: events of one agent.
    """

    start_s: float
    end_s: float
    agents: int
    events: int
    without: int
    smallest: int
    largest: int


class ServiceFigures(_Value):
    """A service of Zone B before the first step, and what changed later.

    Attributes:
        limits: live limits; None means unlimited.
        changes: such as `pid 7 -> 9 (after step 1)`; empty where nothing changed.
    """

    name: str
    id: str
    pid: int
    started: str
    restarts: int
    limits: dict[str, int | None]
    changes: tuple[str, ...]


class ScaleOutFigures(_Value):
    """Figures of a whole scale-out."""

    steps: tuple[ScaleStepFigures, ...]
    consumers: tuple[ConsumerFigures, ...]
    services: tuple[ServiceFigures, ...]


def scale_out_figures(
    found: ScaleOutAnalysis | None,
    cells: Sequence[tuple[CellKey, Cell]],
    timeline: Timeline,
) -> ScaleOutFigures | None:
    """The figures of a scale-out; None without one, or without a measured phase.

    Args:
        found: the analysis.
        cells: of the signals.
        timeline: of the load.
    """
    t0_ns, measured_ns = timeline.t0_ns, timeline.bounds_ns(Phase.MEASURE)
    if found is None or measured_ns is None:
        return None
    latency: dict[int, list[StepLatency]] = {}
    for step, window, start_ns, end_ns in step_windows(found, *measured_ns, WINDOW_NS):
        latency.setdefault(step.number, []).extend(_latency(cells, window, start_ns, end_ns, t0_ns))
    return ScaleOutFigures(
        steps=tuple(
            _step(found, step, t0_ns, tuple(latency.get(step.number, ())))
            for step in found.log.steps
        ),
        consumers=tuple(
            ConsumerFigures(
                start_s=(one.start_ns - t0_ns) / NS_PER_S,
                end_s=(one.end_ns - t0_ns) / NS_PER_S,
                agents=len(one.events),
                events=sum(one.events.values()),
                without=sum(count == 0 for count in one.events.values()),
                smallest=min(one.events.values(), default=0),
                largest=max(one.events.values(), default=0),
            )
            for one in found.periods
        ),
        services=tuple(_services(found)),
    )


def _step(
    found: ScaleOutAnalysis, step: ScaleStepRecord, t0_ns: int, latency: tuple[StepLatency, ...]
) -> ScaleStepFigures:
    log, asked_ns = found.log, step.asked_ns
    new = log.new_agents(step)
    before = len(log.agents_before(step))
    return ScaleStepFigures(
        number=step.number,
        agents_before=before,
        wanted=step.wanted,
        agents=len(step.agents),
        started=len(new),
        left=len(log.left_agents(step)),
        planned_s=(step.planned_ns - t0_ns) / NS_PER_S,
        asked_s=None if asked_ns is None else (asked_ns - t0_ns) / NS_PER_S,
        scaled_ns=scaled_ns(step),
        running=delays([one.running_ns - (asked_ns or 0) for one in new]),
        first_event=delays(since_start(new, found.first_event_ns)),
        first_simulated=delays(since_start(new, found.first_simulated_ns)),
        latency=latency,
    )


def scaled_ns(step: ScaleStepRecord) -> int | None:
    """How long a step took; None if it was not done."""
    if step.asked_ns is None or step.scaled_ns is None:
        return None
    return step.scaled_ns - step.asked_ns


def since_start(agents: Sequence[AgentInstance], moments: Mapping[str, int]) -> list[int | None]:
    """From the start of each agent's process to its moment; None without one.

    The start is known to 10 ms, and so may seem to be later.
    """
    return [
        max(0, moments[one.host] - one.running_ns) if one.host in moments else None
        for one in agents
    ]


def delays(values: Sequence[int | None]) -> AgentDelays:
    """Median and maximum of what is known."""
    known = [value for value in values if value is not None]
    return AgentDelays(
        count=len(known),
        missing=len(values) - len(known),
        median_ns=round(median(known)) if known else None,
        max_ns=max(known, default=None),
    )


def _latency(
    cells: Sequence[tuple[CellKey, Cell]], window: str, start_ns: int, end_ns: int, t0_ns: int
) -> Iterator[StepLatency]:
    start_ms, end_ms = ((moment - t0_ns) // NS_PER_MS for moment in (start_ns, end_ns))
    for key, cell in cells:
        if key.phase is not Phase.MEASURE or Metric.LATENCY not in cell.series:
            continue
        kept = Series.from_chunks(
            (when[inside], what[inside])
            for when, what in cell.series[Metric.LATENCY].chunks()
            if (inside := (when >= max(0, start_ms)) & (when < max(0, end_ms))).any()
        )
        effective = estimate_effective_sample(kept, PERCENTILE)
        interval = percentile_interval(kept.histogram(), PERCENTILE, effective)
        yield StepLatency(
            window=window,
            mode=key.mode.name.lower(),
            start_s=start_ms / 1_000,
            end_s=end_ms / 1_000,
            count=len(kept),
            p99_ns=interval.estimate_ns if interval else None,
            lower_ns=interval.lower_ns if interval else None,
            upper_ns=interval.upper_ns if interval else None,
        )


def _services(found: ScaleOutAnalysis) -> Iterator[ServiceFigures]:
    for one in found.log.begin.services if found.log.begin else ():
        yield ServiceFigures(
            name=one.name,
            id=one.id,
            pid=one.pid,
            started=one.started,
            restarts=one.restarts,
            limits=dict(one.limits),
            changes=tuple(
                f"{change.setting} {change.before} -> {change.after} ({change.when})"
                for change in found.changes
                if change.service == one.name
            ),
        )
