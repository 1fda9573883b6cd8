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
    """What is taken of a signal.

    LATENCY: seen - intended; a signal that never arrived is in it as the time it has had so far.
    LATENESS: sent - intended, of every signal attempted. SERVICE: seen - sent, as latency.
    COMMITTED: commit of SIMULATED - intended, as latency; a lower bound of the truth, where
    latency is an upper one. Without a commit time the read before stands in for it (see `reads`).
    OBSERVER: seen - that lower bound. REJECTED: seen - intended of rejections.
    A rejection that nothing excuses never arrives, so it is in LATENCY, SERVICE and COMMITTED too.
    UNSEEN: of latency, the signals that arrived unseen, at the upper bound that is known of them,
    and those of which nobody could read how they ended.
    PICKUP: commit of INIT - sent.
    Signals that are to be refused as stale are in LATENESS and REJECTED only.
    """

    LATENCY = "latency"
    LATENESS = "lateness"
    SERVICE = "service"
    COMMITTED = "committed"
    OBSERVER = "observer"
    REJECTED = "rejected"
    UNSEEN = "unseen"
    PICKUP = "pickup"


# Of these the order in time is kept too.
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
        time_had: of a metric, the signals that were not seen to arrive and may still, at the time
            they had until the end. They are in the metric's tally too.
        had_series: the same in the order of time.
        rejected: of a metric, the rejections that nothing excuses, at the time they had until the
            end. They are in the metric's tally too; an objective takes them as beyond every limit.
        censored: how many are in `time_had`.
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
        """A metric's histogram; an empty one if nothing was taken."""
        tally = self.histograms.get(metric)
        return tally.histogram() if tally else empty_histogram()

    def censored_histogram(self, metric: Metric) -> Histogram:
        """Of a metric's histogram, the signals that never arrived: only a lower bound is known."""
        tally = self.censored_durations.get(metric)
        return tally.histogram() if tally else empty_histogram()

    @property
    def rejections(self) -> int:
        """How many rejections nothing excuses."""
        return len(self.rejected.get(Metric.LATENCY, ()))

    def arrivals(self, metric: Metric) -> Histogram:
        """A metric's histogram without rejections."""
        part = self.rejected.get(metric)
        whole = self.histogram(metric)
        return whole.without(part.histogram()) if part else whole

    def slo_histogram(self, metric: Metric) -> Histogram:
        """A metric's histogram with each rejection above every limit, as overflow."""
        number = len(self.rejected.get(metric, ()))
        if not number:
            return self.histogram(metric)
        rest = self.arrivals(metric)
        return replace(rest, overflow=rest.overflow + number, max_ns=LIMIT_NS)

    def slo_series(self, metric: Metric) -> Series:
        """The same in the order of time; only of a metric whose order was kept."""
        part = self.rejected.get(metric)
        return self.series[metric].with_overflow(part) if part else self.series[metric]

    def split(self) -> LatencyBreakdown | None:
        """Where the time went."""
        return self.stages.split()


class Recorder:
    """Takes in samples with a fate.

    Args:
        timeline: stages and phases.
        end_ns: until when signals were watched; what never arrived has had its time until then.
        clock: PostgreSQL's clock; without it commit times are of no use.
        serial: metrics of which the order in time is kept, at six bytes a signal.
        stages: stages that are also kept apart: numbers in the timeline by name.

    Attributes:
        cells: every signal, by phase and mode.
        stage_cells: the signals of those stages once more.
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
        # By stage; a stage that the plan does not know is none of the measured ones.
        self._phase_by_stage = np.array(
            [self._phases.index(phase) for phase in (*timeline.phases, Phase.WARMUP)]
        )

    def add(self, samples: Samples) -> None:
        """Take in samples; every one has its fate."""
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
        told = _Times(samples[rejected & seen])
        self._record(cell, Metric.REJECTED, told.intended, told.seen - told.intended)
        # What is to be refused as stale is not to arrive, so it has no time to arrival either.
        awaited = samples["stale"] == Staleness.NO
        self._add_arrived(cell, samples[awaited & arrived & seen])
        rest = awaited & ~(arrived & seen)
        unread = samples["unread"] == 1
        self._add_censored(cell, samples[rest], (arrived | unread)[rest], rejected[rest])

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
        """Signals that were not seen to arrive: as the time they have had until the end.

        A signal intended after the watching ended has had none. One that the final table shows
        to have arrived took at most that long, which bounds its latency from above.
        """
        times = _Times(samples)
        since_t0 = times.intended - self._timeline.t0_ns
        opened = ~unseen & ~rejected
        cell.censored += int(opened.sum())
        latency = np.maximum(self._end_ns - times.intended, 0)
        service = np.maximum(self._end_ns - times.sent, 0)
        for metric, had in ((Metric.LATENCY, latency), (Metric.SERVICE, service)):
            self._record(cell, metric, times.intended, had)
            if opened.any():
                cell.censored_durations.setdefault(metric, HistogramBuilder()).record(had[opened])
                cell.censored_series.setdefault(metric, Series()).add(since_t0[opened], had[opened])
        if rejected.any():
            for metric, had in (
                (Metric.LATENCY, latency),
                (Metric.SERVICE, service),
                (Metric.COMMITTED, latency),
            ):
                refused = cell.rejected.setdefault(metric, Series())
                refused.add(since_t0[rejected], had[rejected])
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
    """The columns that durations are made of."""

    def __init__(self, samples: Samples) -> None:
        self.intended: Values = column(samples, "intended_ns")
        self.sent: Values = column(samples, "sent_ns")
        self.seen: Values = column(samples, "seen_ns")
