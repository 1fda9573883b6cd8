"""The Prometheus page of a run under way: names, units and labels of its metrics; pure.

Every figure comes from the newest snapshot of the run, which is made once a second anyway, so
nothing is measured for the page. Counters count one run: they restart with each run of a
`--repeat`, which `rate()` correctly treats as a counter reset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

import harness
from harness.clock import NS_PER_S
from harness.run.live.latency_histogram import BOUNDS_NS
from harness.run.parts import Progress
from harness.scenario import Scenario
from harness.scenario.objective import Objective

PREFIX = "harness_"
PHASES = ("start", "warmup", "measure", "drain", "finish")
# A signal is in one or more of these classes; docs/live.md defines each.
_SIGNALS = {
    "due": "Signals whose intended time has come",
    "sent": "Signals attempted",
    "accepted": "Signals that Redis acknowledged",
    "refused": "Signals that Redis refused, or that could not be sent",
    "unknown": "Signals whose answer from Redis was lost",
}


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run that is shown.

    Attributes:
        stack: kind of stack.
        objectives: of the scenario.
    """

    run_id: str
    scenario: str
    seed: int
    stack: str
    objectives: tuple[Objective, ...] = ()

    @classmethod
    def of(cls, run_id: str, scenario: Scenario, stack: str) -> RunInfo:
        """A run that is about to begin."""
        return cls(run_id, scenario.name, scenario.seed, stack, scenario.parsed_objectives())


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of the page itself in the run's main process so far."""

    scrapes: int = 0
    cpu_ns: int = 0


@dataclass(frozen=True, slots=True)
class PageState:
    """The content of a page.

    Attributes:
        run_info: None before the first run.
        progress: None before the run's first snapshot.
        snapshot_wall_ns: Unix time of that snapshot.
        verdicts: number of runs of this process by verdict.
    """

    run_info: RunInfo | None = None
    progress: Progress | None = None
    snapshot_wall_ns: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)


def metrics_of(state: PageState, cost: Cost) -> Iterator[Metric]:
    """Every metric of the page."""
    yield from _own(cost)
    judged = CounterMetricFamily(
        PREFIX + "runs_judged", "Runs of this process that have a verdict", labels=["verdict"]
    )
    for verdict, number in state.verdicts.items():
        judged.add_metric([verdict], number)
    yield judged
    if state.run_info is not None:
        yield from _run_info(state.run_info)
    if state.progress is not None:
        snapshot_s = state.snapshot_wall_ns / NS_PER_S
        yield _gauge("snapshot_timestamp_seconds", "Unix time of the figures", snapshot_s)
        yield from _phase(state.progress)
        yield from _signals(state.progress)
        yield from _latency(state.progress)
        yield from _events(state.progress)
        yield from _usage(state.progress)


def _own(cost: Cost) -> Iterator[Metric]:
    yield CounterMetricFamily(PREFIX + "scrapes", "Times this page was read", cost.scrapes)
    yield CounterMetricFamily(
        PREFIX + "scrape_cpu_seconds",
        "Processor time of all earlier reads of this page",
        cost.cpu_ns / NS_PER_S,
    )


def _run_info(run_info: RunInfo) -> Iterator[Metric]:
    yield InfoMetricFamily(
        PREFIX + "run",
        "The run under way",
        {
            "run_id": run_info.run_id,
            "scenario": run_info.scenario,
            "seed": str(run_info.seed),
            "stack": run_info.stack,
            "version": harness.__version__,
        },
    )
    labels = ["objective", "metric", "mode", "quantile"]
    seconds = GaugeMetricFamily(
        PREFIX + "objective_limit_seconds", "Limit of an objective that bounds a time", None, labels
    )
    ratio = GaugeMetricFamily(
        PREFIX + "objective_limit_ratio", "Limit of an objective of a share", None, labels[:2]
    )
    for own in run_info.objectives:
        if own.limit_ns is not None:
            quantile = "" if own.percentile is None else f"{own.percentile / 100:g}"
            values = [own.text, own.metric, own.mode or "all", quantile]
            seconds.add_metric(values, own.limit_ns / NS_PER_S)
        elif own.limit_share is not None:
            ratio.add_metric([own.text, own.metric], own.limit_share)
    yield seconds
    yield ratio


def _phase(progress: Progress) -> Iterator[Metric]:
    phase = GaugeMetricFamily(PREFIX + "phase", "1 for the phase under way", labels=["phase"])
    for name in PHASES:
        phase.add_metric([name], float(name == progress.phase))
    yield phase
    yield _gauge("elapsed_seconds", "Time since the load began", progress.elapsed_ns / NS_PER_S)
    yield _gauge("load_seconds", "Length of the load, with warm-up", progress.total_ns / NS_PER_S)
    yield _gauge("agents", "Agents that run now", progress.agents)
    yield _gauge("intended_per_second", "Signals due per second now", progress.rate_intended)
    yield _gauge(
        "sent_per_second", "Signals sent per second in the newest second", progress.rate_sent
    )


def _signals(progress: Progress) -> Iterator[Metric]:
    counts = {name: (text, getattr(progress, name)) for name, text in _SIGNALS.items()}
    seen = progress.summary
    counts["simulated"] = "Signals seen in SIMULATED", seen.simulated
    counts["rejected"] = "Signals seen in a rejection", seen.final - seen.simulated
    counts["final"] = "Signals seen in any final state", seen.final
    for name, (text, number) in counts.items():
        yield CounterMetricFamily(f"{PREFIX}signals_{name}", text, number)
    yield _gauge("backlog_signals", "Signals sent, not refused, and not final", progress.backlog)
    yield _gauge(
        "oldest_open_seconds",
        "For how long the oldest signal has been due that is not final; 0 when all are",
        (seen.oldest_open_ns or 0) / NS_PER_S,
    )
    yield _gauge(
        "lateness_max_seconds",
        "The largest send lag of the swarm in the newest second",
        progress.lateness_max_ns / NS_PER_S,
    )


def _latency(progress: Progress) -> Iterator[Metric]:
    histogram = HistogramMetricFamily(
        PREFIX + "latency_seconds",
        "From a signal's intended time to seeing it SIMULATED, by the phase it was due in",
        labels=["phase", "mode"],
    )
    bounds = [f"{bound / NS_PER_S:g}" for bound in BOUNDS_NS]
    for own in progress.summary.buckets:
        cumulative = list(accumulate(own.counts))
        pairs = list(zip([*bounds, "+Inf"], cumulative, strict=True))
        histogram.add_metric([own.phase, own.mode], pairs, own.sum_ns / NS_PER_S)
    yield histogram
    quantiles = GaugeMetricFamily(
        PREFIX + "latency_quantile_seconds",
        "Percentiles so far of what is measured, or of the warm-up before that, to 1 %",
        labels=["mode", "quantile"],
    )
    for mode, own_percentiles in (("all", progress.summary.latency), *progress.summary.by_mode):
        for quantile, value_ns in (
            ("0.5", own_percentiles.p50_ns),
            ("0.99", own_percentiles.p99_ns),
        ):
            if value_ns is not None:
                quantiles.add_metric([mode, quantile], value_ns / NS_PER_S)
    yield quantiles


def _events(progress: Progress) -> Iterator[Metric]:
    restarts = CounterMetricFamily(
        PREFIX + "service_restarts", "Times a service was started again", labels=["service"]
    )
    for service, number in progress.restarts:
        restarts.add_metric([service], number)
    yield restarts
    events = CounterMetricFamily(
        PREFIX + "events", "Events that the judge will use", labels=["kind"]
    )
    for kind, number in Counter(event.kind for event in progress.events).items():
        events.add_metric([kind], number)
    yield events


def _usage(progress: Progress) -> Iterator[Metric]:
    figures = {
        "service_cpu_cores": ("Cores that a service used in the newest second", "cpu_cores"),
        "service_cpu_limit_cores": ("Quota in force", "cpu_limit_cores"),
        "service_memory_bytes": ("Memory that a service held", "memory_bytes"),
        "service_memory_limit_bytes": ("Limit in force", "memory_limit_bytes"),
    }
    for name, (text, attribute) in figures.items():
        family = GaugeMetricFamily(PREFIX + name, text, labels=["service"])
        for own in progress.usage:
            value = getattr(own, attribute)
            if value is not None:
                family.add_metric([own.name], value)
        yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value)
