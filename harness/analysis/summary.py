"""From the analysis of a run to its measurement and its histogram logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.anomalies import Anomaly
from harness.analysis.clock_map import ClockMap
from harness.analysis.faults.fault_figures import baseline_figures, fault_figures
from harness.analysis.gate.figures import gate_figures
from harness.analysis.histogram import Histogram, bucket_high_ns
from harness.analysis.histogram_encoding import HistogramInterval, encode
from harness.analysis.latency_breakdown import LatencyBreakdown
from harness.analysis.measurement import (
    BreakdownStageFigures,
    ClockFigures,
    IntervalFigures,
    LatencyBreakdownFigures,
    Measurement,
    MetricFigures,
    PercentileBounds,
    RateFigures,
    RecoveryFigures,
    SignalOutcomeFigures,
)
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.resources.self_monitoring import HOST
from harness.analysis.resources.self_monitoring_figures import (
    SelfMonitoringFigures,
    self_monitoring_figures,
)
from harness.analysis.run_analysis import POSTGRES, RunAnalysis
from harness.analysis.samples import SignalOutcome
from harness.analysis.scale_out_figures import scale_out_figures
from harness.analysis.series import interval_length_s
from harness.analysis.stage_summary import throughput_figures
from harness.analysis.statistics import size_needed
from harness.clock import NS_PER_S, NS_PER_US
from harness.scenario.models import Load, Phase

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)
DUPLICATES = (
    Anomaly.FINAL_TWICE,
    Anomaly.TWO_ROWS,
    Anomaly.NONCE_REPEATED,
    Anomaly.LEDGER_DOUBLED,
)
# Cuts stamped by PostgreSQL's clock; the host's clock stamps the others.
_SERVER_CUTS = frozenset({"INIT committed", "SIMULATED committed"})
_CENSORED = frozenset({Metric.LATENCY, Metric.SERVICE, Metric.COMMITTED})


def percentile_name(percentile: float) -> str:
    """`p99`, `p99.9`."""
    return f"p{percentile:g}"


def build_measurement(
    analysis: RunAnalysis, intended: Sequence[int] | None, load: Load
) -> Measurement:
    """The measurement of a run.

    Args:
        analysis: of the run's evidence.
        intended: signals of the plan by stage; None when they were not computed.
        load: as it was executed.
    """
    cells = _ordered(analysis.signals.cells)
    error_ns = (
        analysis.instruments.clocks[POSTGRES].error_ns
        if POSTGRES in analysis.instruments.clocks
        else 0
    )
    return Measurement(
        account=_outcomes(analysis.signals.outcomes()),
        accounts={
            str(phase): _outcomes(analysis.signals.outcomes(phase))
            for phase in Phase
            if analysis.signals.outcomes(phase).attempted
        },
        duplicated=sum(analysis.finding(kind).count for kind in DUPLICATES),
        unexpected=analysis.finding(Anomaly.UNEXPECTED).count,
        foreign=analysis.evidence.foreign,
        figures=tuple(_all_figures(cells)),
        splits=tuple(
            _split(key, split, error_ns)
            for key, cell in cells
            if (split := cell.split()) is not None
        ),
        intervals=tuple(_intervals(analysis, cells)),
        resolution=tuple(row for key, cell in cells for row in _resolution(key, cell)),
        clocks=tuple(clock_figures(analysis)),
        rates=tuple(_rates(analysis, intended)),
        recoveries=tuple(
            RecoveryFigures(
                kind=event.kind,
                what=event.what,
                at_s=(event.mono_ns - analysis.timeline.t0_ns) / NS_PER_S,
                **asdict(recovery),
            )
            for event, recovery in analysis.faults.recoveries
        ),
        faults=tuple(fault_figures(analysis.faults.records or (), analysis.timeline.t0_ns)),
        outside_faults=tuple(
            baseline_figures(cells, analysis.faults.windows, analysis.timeline.t0_ns)
        ),
        gate=None
        if analysis.gate is None
        else gate_figures(analysis.gate, cells, analysis.timeline.t0_ns, analysis.watched_until_ns),
        scale_out=scale_out_figures(analysis.scale_out, cells, analysis.timeline),
        standstills=analysis.faults.head_lag.figures(analysis.timeline.t0_ns)
        if analysis.faults.head_lag
        else (),
        findings={str(kind): found.count for kind, found in sorted(analysis.findings.items())},
        nonce_addresses=len(analysis.integrity.final_state.nonces),
        seconds=tuple(throughput_figures(analysis.signals.throughput, load)),
        vitals=_self_monitoring(analysis),
    )


def _self_monitoring(analysis: RunAnalysis) -> SelfMonitoringFigures | None:
    """Self-monitoring of the measured phase, as far as the run was observed."""
    bounds = analysis.timeline.bounds_ns(Phase.MEASURE)
    if bounds is None:
        return None
    start_ns, end_ns = bounds[0], min(bounds[1], analysis.watched_until_ns)
    return (
        self_monitoring_figures(analysis.instruments.self_monitoring, start_ns, end_ns)
        if start_ns < end_ns
        else None
    )


def histogram_logs(analysis: RunAnalysis) -> Iterator[tuple[str, list[HistogramInterval]]]:
    """Name and intervals of each histogram log.

    Latency is logged by intervals of intended time, every other metric as one interval.
    """
    length_s = interval_length_s(analysis.timeline.edges_ns[-1])
    end_s = analysis.timeline.edges_ns[-1] / NS_PER_S
    for key, cell in _ordered(analysis.signals.cells):
        for metric in sorted(cell.histograms):
            tag = f"{key.phase}-{_mode(key)}-{metric}"
            if metric is Metric.LATENCY:
                parts = [
                    HistogramInterval(number * length_s, length_s, tag, _of_counts(counts))
                    for number, counts in cell.series[metric].counts_by_interval(length_s)
                ]
            else:
                parts = [HistogramInterval(0.0, end_s, tag, cell.histogram(metric))]
            yield f"{tag}.hlog", parts


def _of_counts(counts: NDArray[np.int64]) -> Histogram:
    filled = np.flatnonzero(counts)
    highest = bucket_high_ns(int(filled[-1])) if len(filled) else 0
    return Histogram(counts=counts.copy(), max_ns=highest)


def _ordered(cells: Mapping[CellKey, Cell]) -> list[tuple[CellKey, Cell]]:
    return sorted(cells.items(), key=lambda item: (item[0].phase, item[0].mode))


def _mode(key: CellKey) -> str:
    return key.mode.name.lower()


def _outcomes(counts: SignalOutcomeCounts) -> SignalOutcomeFigures:
    return SignalOutcomeFigures(
        attempted=counts.attempted,
        simulated=counts.of(SignalOutcome.SIMULATED),
        rejected=counts.of(SignalOutcome.REJECTED),
        lost=counts.of(SignalOutcome.LOST),
        in_flight=counts.of(SignalOutcome.IN_FLIGHT),
        refused=counts.of(SignalOutcome.REFUSED),
        recovered=counts.of(SignalOutcome.RECOVERED),
        rejected_by={state.name: count for state, count in sorted(counts.rejected_by.items())},
        refused_unanswered=counts.unanswered,
        recovered_rejected=counts.recovered_rejected,
        unseen=counts.unseen,
        commit_unknown=counts.commit_unknown,
        stale=counts.stale,
        stale_rejected=counts.stale_rejected,
        behind=counts.head_lag,
        behind_rejected=counts.head_lag_rejected,
    )


def _all_figures(cells: Sequence[tuple[CellKey, Cell]]) -> Iterator[MetricFigures]:
    for key, cell in cells:
        for metric in sorted(cell.histograms):
            histogram = cell.histogram(metric)
            yield MetricFigures(
                phase=key.phase,
                mode=_mode(key),
                metric=metric,
                count=histogram.count,
                censored=cell.censored + cell.rejections if metric in _CENSORED else 0,
                rejected=cell.rejections if metric in _CENSORED else 0,
                mean_ns=histogram.mean_ns,
                min_ns=histogram.min_ns,
                max_ns=histogram.max_ns,
                sum_ns=histogram.sum_ns,
                percentiles_ns=supported_percentiles(histogram),
                negative=histogram.negative,
                overflow=histogram.overflow,
                histogram=encode(histogram),
            )


def supported_percentiles(histogram: Histogram) -> dict[str, int]:
    """Percentiles by name, as far as the sample is large enough for an upper bound."""
    count = histogram.count
    supported = [percentile for percentile in PERCENTILES if count >= size_needed(percentile)]
    return {
        percentile_name(percentile): value
        for percentile, value in histogram.percentiles_ns(supported).items()
    }


def _split(key: CellKey, split: LatencyBreakdown, error_ns: int) -> LatencyBreakdownFigures:
    return LatencyBreakdownFigures(
        phase=key.phase,
        mode=_mode(key),
        stages=tuple(
            BreakdownStageFigures(
                start=stage.start,
                end=stage.end,
                merged=stage.merged,
                count=stage.histogram.count,
                sum_ns=stage.histogram.sum_ns,
                mean_ns=stage.histogram.sum_ns / stage.histogram.count,
                p50_ns=percentiles_ns.get("p50"),
                p99_ns=percentiles_ns.get("p99"),
                max_ns=stage.histogram.max_ns,
                negative=stage.histogram.negative,
            )
            for stage in split.stages
            for percentiles_ns in [supported_percentiles(stage.histogram)]
        ),
        count=split.total.count,
        total_sum_ns=split.total.sum_ns,
        total_mean_ns=split.total.sum_ns / split.total.count,
        notes=(*uncertain_stages(split, error_ns), *split.notes),
    )


def _intervals(
    analysis: RunAnalysis, cells: Sequence[tuple[CellKey, Cell]]
) -> Iterator[IntervalFigures]:
    length_s = interval_length_s(analysis.timeline.edges_ns[-1])
    for key, cell in cells:
        series = cell.series.get(Metric.LATENCY)
        for number, counts in series.counts_by_interval(length_s) if series else ():
            yield IntervalFigures(
                phase=key.phase,
                mode=_mode(key),
                **asdict(summarize_interval(number, length_s, counts)),
            )


def _resolution(key: CellKey, cell: Cell) -> Iterator[PercentileBounds]:
    committed, seen = cell.histogram(Metric.COMMITTED), cell.histogram(Metric.LATENCY)
    if not committed.count:
        return
    seen_ns = supported_percentiles(seen)
    rows = {
        name: (value, seen_ns.get(name)) for name, value in supported_percentiles(committed).items()
    }
    rows["max"] = (committed.max_ns, seen.max_ns)
    for name, (low, high) in rows.items():
        if high is not None:
            yield PercentileBounds(
                phase=key.phase, mode=_mode(key), name=name, committed_ns=low, seen_ns=high
            )


def _rates(analysis: RunAnalysis, intended: Sequence[int] | None) -> Iterator[RateFigures]:
    phases, schedule = analysis.timeline.phases, analysis.signals.schedule
    # Signals sent during the drain are not part of the planned load.
    for phase in (Phase.WARMUP, Phase.MEASURE):
        own = [number for number, other in enumerate(phases) if other is phase]
        if own:
            yield RateFigures(
                phase=phase,
                duration_s=analysis.timeline.duration_ns(phase) / NS_PER_S,
                intended=None if intended is None else sum(intended[number] for number in own),
                attempted=sum(schedule.by_stage[number] for number in own),
                in_phase=sum(schedule.in_phase_by_stage[number] for number in own),
            )


@dataclass(frozen=True, slots=True)
class IntervalSummary:
    """The durations of one time interval; a percentile of too few samples is None.

    Attributes:
        start_s: seconds after t0, by intended time.
    """

    start_s: float
    length_s: float
    count: int
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int


def summarize_interval(number: int, length_s: int, counts: NDArray[np.int64]) -> IntervalSummary:
    """Figures of one interval; values are upper ends of buckets.

    Args:
        number: of the interval, from 0 at t0.
        length_s: of every interval.
        counts: durations by bucket.
    """
    sums = np.cumsum(counts)
    total = int(sums[-1])

    def at(rank: int) -> int:
        return bucket_high_ns(int(np.searchsorted(sums, max(1, rank)))) if total else 0

    def percentile(rank: int) -> int | None:
        return at(-(-rank * total // 100)) if total >= size_needed(rank) else None

    return IntervalSummary(
        start_s=float(number * length_s),
        length_s=float(length_s),
        count=total,
        p50_ns=percentile(50),
        p99_ns=percentile(99),
        max_ns=at(total),
    )


def clock_figures(analysis: RunAnalysis) -> Iterator[ClockFigures]:
    """Each server's clock, then the host's wall clock where it was sampled."""
    samples = analysis.instruments.self_monitoring.samples
    host = ClockMap([sample.probe for sample in samples]) if samples else None
    first_ns, last_ns = analysis.signals.schedule.sent_ns or (analysis.timeline.end_ns,) * 2
    for server, clock in analysis.instruments.clocks.items():
        yield _clock(server, clock, host, first_ns, last_ns)
    if host is not None:
        yield _clock(HOST, host, host, first_ns, last_ns)


def _clock(
    name: str, clock: ClockMap, host: ClockMap | None, first_ns: int, last_ns: int
) -> ClockFigures:
    facts, times = clock.facts, clock.probed_ns
    before = sum(time <= first_ns for time in times)
    after = sum(time >= last_ns for time in times)
    return ClockFigures(
        server=name,
        probes=facts.probes,
        before=before,
        during=facts.probes - before - after,
        after=after,
        kept=facts.kept,
        offset_ns=facts.offset_ns,
        error_ns=facts.error_ns,
        # Both offsets are monotonic minus Unix time.
        ahead_ns=host.facts.offset_ns - facts.offset_ns if host is not None else None,
        drift_ppm=facts.drift_ppm,
        drift_error_ppm=facts.drift_error_ppm,
        steps=facts.steps,
        step_max_ns=facts.step_max_ns,
    )


def uncertain_stages(split: LatencyBreakdown, error_ns: int) -> Iterator[str]:
    """Notes on stages between two clocks whose length is below the clock error.

    Args:
        split: the stages.
        error_ns: largest error of PostgreSQL's timestamps on the host's clock. A stage that begins
            and ends with such a timestamp is measured on one clock and not affected.
    """
    for stage in split.stages:
        if (stage.start in _SERVER_CUTS) == (stage.end in _SERVER_CUTS):
            continue
        histogram = stage.histogram
        median_ns = histogram.percentile_ns(50) or 0
        mean_ns = histogram.sum_ns / histogram.count
        if min(abs(median_ns), abs(mean_ns)) < error_ns:
            yield (
                f"'{stage.start} -> {stage.end}' lies between two clocks and is known only to"
                f" +-{_us(error_ns)}; its median is {_us(median_ns)}, its mean {_us(mean_ns)}"
            )


def _us(value_ns: float) -> str:
    return f"{value_ns / NS_PER_US:,.0f} us"
