"""Samples into histograms, series and counts: per phase, per mode, and by intended time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from harness.analysis.clock_map import ClockMap
from harness.analysis.histogram import (
    LIMIT_NS,
    Histogram,
    HistogramBuilder,
    Values,
    empty_histogram,
)
from harness.analysis.latency_breakdown import LatencyBreakdown, LatencyBreakdownBuilder
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.phase_timeline import Timeline
from harness.analysis.samples import Mask, Samples, SignalOutcome, Staleness, column, has_outcome
from harness.analysis.series import Series
from harness.contract.names import State
from harness.evidence.records import Mode, PushStatus
from harness.scenario.models import Phase


class Metric(StrEnum):
    """Durations of a signal.

    LATENCY: seen - intended; a signal that never arrived is censored at the end of the observation.
    LATENESS (send lag): sent - intended, of every attempted signal. SERVICE: seen - sent, censored
    like latency. COMMITTED: commit of SIMULATED - intended, censored like latency; a lower bound of
    the truth, where latency is an upper bound. Without a commit time it uses the observer's read
    before (see `observer_reads`). OBSERVER: seen - that lower bound. REJECTED: seen - intended of
    rejections. An unexpected rejection never arrives, so it is in LATENCY, SERVICE and COMMITTED
    too. UNSEEN: the latencies that are known only by an upper bound: signals that arrived
    unobserved, and those whose final state could not be read. PICKUP: commit of INIT - sent.
    Signals that have to be refused as stale are in LATENESS and REJECTED only.
    """

    LATENCY = "latency"
    LATENESS = "lateness"
    SERVICE = "service"
    COMMITTED = "committed"
    OBSERVER = "observer"
    REJECTED = "rejected"
    UNSEEN = "unseen"
    PICKUP = "pickup"


# Metrics of which a series is kept too, in the order of time.
ORDERED_METRICS = frozenset({Metric.LATENCY})


@dataclass(frozen=True, slots=True)
class CellKey:
    """Signals that share a histogram."""

    phase: Phase
    mode: Mode


@dataclass(frozen=True, slots=True)
class StageKey:
    """Signals of one stage of the scenario, all its repetitions together."""

    stage: str
    mode: Mode


@dataclass(slots=True)
class Cell:
    """Everything about the signals of one phase and mode, or of one stage and mode.

    Attributes:
        censored_durations: of a metric, the signals that may still arrive, censored at the end of
            the observation. They are in the metric's histogram too.
        censored_series: the same in the order of time.
        rejected: of a metric, the unexpected rejections, censored at the end. They are in the
            metric's histogram too; an objective counts them as above every limit.
        censored: number of signals in `censored_durations`.
    """

    histograms: dict[Metric, HistogramBuilder] = field(default_factory=dict)
    censored_durations: dict[Metric, HistogramBuilder] = field(default_factory=dict)
    series: dict[Metric, Series] = field(default_factory=dict)
    censored_series: dict[Metric, Series] = field(default_factory=dict)
    rejected: dict[Metric, Series] = field(default_factory=dict)
    stages: LatencyBreakdownBuilder = field(default_factory=LatencyBreakdownBuilder)
    account: SignalOutcomeCounts = field(default_factory=SignalOutcomeCounts)
    censored: int = 0

    def histogram(self, metric: Metric) -> Histogram:
        """A metric's histogram; empty without values."""
        builder = self.histograms.get(metric)
        return builder.histogram() if builder else empty_histogram()

    def censored_histogram(self, metric: Metric) -> Histogram:
        """The censored part of a metric's histogram: only a lower bound is known."""
        builder = self.censored_durations.get(metric)
        return builder.histogram() if builder else empty_histogram()

    @property
    def rejections(self) -> int:
        """Number of unexpected rejections."""
        return len(self.rejected.get(Metric.LATENCY, ()))

    def arrivals(self, metric: Metric) -> Histogram:
        """A metric's histogram without rejections."""
        rejected = self.rejected.get(metric)
        whole = self.histogram(metric)
        return whole.without(rejected.histogram()) if rejected else whole

    def slo_histogram(self, metric: Metric) -> Histogram:
        """A metric's histogram with each unexpected rejection as overflow, above every limit."""
        number = len(self.rejected.get(metric, ()))
        if not number:
            return self.histogram(metric)
        arrivals = self.arrivals(metric)
        return replace(arrivals, overflow=arrivals.overflow + number, max_ns=LIMIT_NS)

    def slo_series(self, metric: Metric) -> Series:
        """The same in the order of time; only of a metric with a series."""
        rejected = self.rejected.get(metric)
        return self.series[metric].with_overflow(rejected) if rejected else self.series[metric]

    def split(self) -> LatencyBreakdown | None:
        """Latency by stage."""
        return self.stages.split()


class Recorder:
    """Sorts samples with their outcomes into cells.

    Args:
        timeline: stages and phases.
        end_ns: end of the observation, at which durations are censored.
        clock: PostgreSQL's clock; without it commit times are not used.
        serial: metrics of which a series is kept, at six bytes a signal.
        stages: stages with cells of their own: numbers in the timeline, by name.

    Attributes:
        cells: every signal, by phase and mode.
        stage_cells: the signals of those stages again.
    """

    def __init__(
        self,
        timeline: Timeline,
        end_ns: int,
        clock: ClockMap | None,
        serial: frozenset[Metric] = ORDERED_METRICS,
        stages: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self.cells: dict[CellKey, Cell] = {}
        self.stage_cells: dict[StageKey, Cell] = {}
        self._stages = {name: sorted(numbers) for name, numbers in (stages or {}).items()}
        self._timeline = timeline
        self._end_ns = end_ns
        self._clock = clock
        self._serial = serial
        self._phases = tuple(dict.fromkeys((*timeline.phases, Phase.WARMUP)))
        # By stage; an unknown stage counts as warm-up.
        self._phase_by_stage = np.array(
            [self._phases.index(phase) for phase in (*timeline.phases, Phase.WARMUP)]
        )

    def add(self, samples: Samples) -> None:
        """Add samples with their outcomes."""
        if len(samples) == 0:
            return
        stages = column(samples, "stage").astype(np.int64)
        phases = self._phase_by_stage[np.minimum(stages, len(self._phase_by_stage) - 1)]
        full = samples["mode"] == Mode.FULL
        for mode, in_mode in ((Mode.LITE, ~full), (Mode.FULL, full)):
            for number, phase in enumerate(self._phases):
                chosen = (phases == number) & in_mode
                if chosen.any():
                    cell = self.cells.setdefault(CellKey(phase, mode), Cell())
                    self._add_to(cell, samples[chosen])
            for name, numbers in self._stages.items():
                chosen = np.isin(stages, numbers) & in_mode
                if chosen.any():
                    cell = self.stage_cells.setdefault(StageKey(name, mode), Cell())
                    self._add_to(cell, samples[chosen])

    def _add_to(self, cell: Cell, samples: Samples) -> None:
        rejected = (samples["state"] >= State.STALE_DATA_ERROR) & has_outcome(
            samples, SignalOutcome.REJECTED, SignalOutcome.RECOVERED
        )
        arrived = has_outcome(samples, SignalOutcome.SIMULATED, SignalOutcome.RECOVERED) & ~rejected
        seen = samples["seen_ns"] != 0
        cell.account.add(samples, rejected, arrived & ~seen)

        everything = _Times(samples)
        self._record(
            cell, Metric.LATENESS, everything.intended, everything.sent - everything.intended
        )
        rejections = _Times(samples[rejected & seen])
        self._record(
            cell, Metric.REJECTED, rejections.intended, rejections.seen - rejections.intended
        )
        # A signal that has to be refused as stale has no time to arrival.
        is_ordinary = samples["stale"] == Staleness.NO
        self._add_arrived(cell, samples[is_ordinary & arrived & seen])
        not_seen = is_ordinary & ~(arrived & seen)
        unread = samples["unread"] == 1
        self._add_censored(
            cell, samples[not_seen], (arrived | unread)[not_seen], rejected[not_seen]
        )

    def _add_arrived(self, cell: Cell, samples: Samples) -> None:
        times = _Times(samples)
        latency = times.seen - times.intended
        self._record(cell, Metric.LATENCY, times.intended, latency)
        self._record(cell, Metric.SERVICE, times.intended, times.seen - times.sent)
        committed = self._mono_ns(column(samples, "final_us"))
        known = committed != 0
        cell.account.commit_unknown += int((~known).sum())
        least = np.where(known, committed, column(samples, "since_ns"))
        self._record(cell, Metric.COMMITTED, times.intended, least - times.intended)
        self._record(cell, Metric.OBSERVER, times.intended, times.seen - least)
        init = self._mono_ns(column(samples, "init_us"))
        began = init != 0
        self._record(cell, Metric.PICKUP, times.intended[began], init[began] - times.sent[began])
        cell.stages.add(
            times.intended,
            times.sent,
            np.where(samples["outcome"] == PushStatus.ACCEPTED, samples["acked_ns"], 0),
            init,
            committed,
            times.seen,
        )

    def _add_censored(self, cell: Cell, samples: Samples, unseen: Mask, rejected: Mask) -> None:
        """Add signals that were not observed to arrive, censored at the end of the observation.

        A signal intended after that end counts as 0. For one that the final table shows to have
        arrived, the time until the end is an upper bound of its latency.
        """
        times = _Times(samples)
        since_t0 = times.intended - self._timeline.t0_ns
        may_arrive = ~unseen & ~rejected
        cell.censored += int(may_arrive.sum())
        latency = np.maximum(self._end_ns - times.intended, 0)
        service = np.maximum(self._end_ns - times.sent, 0)
        for metric, elapsed in ((Metric.LATENCY, latency), (Metric.SERVICE, service)):
            self._record(cell, metric, times.intended, elapsed)
            if may_arrive.any():
                cell.censored_durations.setdefault(metric, HistogramBuilder()).record(
                    elapsed[may_arrive]
                )
                cell.censored_series.setdefault(metric, Series()).add(
                    since_t0[may_arrive], elapsed[may_arrive]
                )
        if rejected.any():
            for metric, elapsed in (
                (Metric.LATENCY, latency),
                (Metric.SERVICE, service),
                (Metric.COMMITTED, latency),
            ):
                refused = cell.rejected.setdefault(metric, Series())
                refused.add(since_t0[rejected], elapsed[rejected])
        self._record(cell, Metric.COMMITTED, times.intended[~unseen], latency[~unseen])
        self._record(cell, Metric.UNSEEN, times.intended[unseen], latency[unseen])

    def _record(self, cell: Cell, metric: Metric, intended: Values, durations: Values) -> None:
        if len(durations) == 0:
            return
        cell.histograms.setdefault(metric, HistogramBuilder()).record(durations)
        if metric in self._serial:
            since_t0 = intended - self._timeline.t0_ns
            cell.series.setdefault(metric, Series()).add(since_t0, durations)

    def _mono_ns(self, server_us: Values) -> Values:
        if self._clock is None:
            return np.zeros(len(server_us), dtype=np.int64)
        return np.where(server_us != 0, self._clock.mono_ns(server_us), 0)


class _Times:
    """The columns that durations are computed from."""

    def __init__(self, samples: Samples) -> None:
        self.intended: Values = column(samples, "intended_ns")
        self.sent: Values = column(samples, "sent_ns")
        self.seen: Values = column(samples, "seen_ns")
