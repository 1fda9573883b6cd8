"""Gathered data into the measurement, and into histogram logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from harness.analysis.anomalies import Anomaly
from harness.analysis.clock_uncertainty import clock_figures, uncertain_stages
from harness.analysis.faults.fault_figures import baseline_figures, fault_figures
from harness.analysis.gate.figures import gate_figures
from harness.analysis.histogram import Histogram, bucket_high_ns
from harness.analysis.histogram_encoding import HistogramInterval, encode
from harness.analysis.interval_summary import summarize
from harness.analysis.latency_breakdown import LatencyBreakdown
from harness.analysis.measurement import (
    BreakdownStageFigures,
    IntervalFigures,
    LatencyBreakdownFigures,
    Measurement,
    MetricFigures,
    PercentileBounds,
    RateFigures,
    RecoveryFigures,
    SignalOutcomeFigures,
    ThroughputFigures,
)
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.resources.self_monitoring_figures import (
    SelfMonitoringFigures,
    self_monitoring_figures,
)
from harness.analysis.run_analysis import POSTGRES, RunAnalysis
from harness.analysis.samples import SignalOutcome
from harness.analysis.series import interval_length_s
from harness.analysis.statistics import size_needed
from harness.clock import NS_PER_S
from harness.scenario.models import Phase

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)
DUPLICATES = (
    Anomaly.FINAL_TWICE,
    Anomaly.TWO_ROWS,
    Anomaly.NONCE_REPEATED,
    Anomaly.LEDGER_DOUBLED,
)
_CENSORED = frozenset({Metric.LATENCY, Metric.SERVICE, Metric.COMMITTED})


def percentile_name(percentile: float) -> str:
    """`p99`, `p99.9`."""
    return f"p{percentile:g}"


def build_measurement(gathered: RunAnalysis, intended: Sequence[int] | None) -> Measurement:
    """The measurement.

    Args:
        gathered: what the evidence gives.
        intended: signals of the plan by stage; None when nobody computed them.
    """
    cells = _ordered(gathered.cells)
    error_ns = gathered.clocks[POSTGRES].error_ns if POSTGRES in gathered.clocks else 0
    return Measurement(
        account=_account(gathered.account()),
        accounts={
            str(phase): _account(gathered.account(phase))
            for phase in Phase
            if gathered.account(phase).attempted
        },
        duplicated=sum(gathered.finding(kind).count for kind in DUPLICATES),
        unexpected=gathered.finding(Anomaly.UNEXPECTED).count,
        foreign=gathered.foreign,
        figures=tuple(_all_figures(cells)),
        splits=tuple(
            _split(key, split, error_ns)
            for key, cell in cells
            if (split := cell.split()) is not None
        ),
        intervals=tuple(_intervals(gathered, cells)),
        resolution=tuple(row for key, cell in cells for row in _resolution(key, cell)),
        clocks=tuple(clock_figures(gathered)),
        rates=tuple(_rates(gathered, intended)),
        recoveries=tuple(
            RecoveryFigures(
                kind=event.kind,
                what=event.what,
                at_s=(event.mono_ns - gathered.timeline.t0_ns) / NS_PER_S,
                **asdict(recovery),
            )
            for event, recovery in gathered.recoveries
        ),
        faults=tuple(fault_figures(gathered.faults or (), gathered.timeline.t0_ns)),
        outside_faults=tuple(
            baseline_figures(cells, gathered.fault_windows, gathered.timeline.t0_ns)
        ),
        gate=None
        if gathered.gate is None
        else gate_figures(gathered.gate, cells, gathered.timeline.t0_ns, gathered.watched_until_ns),
        standstills=gathered.behind.figures(gathered.timeline.t0_ns) if gathered.behind else (),
        findings={str(kind): found.count for kind, found in sorted(gathered.findings.items())},
        nonce_addresses=len(gathered.final_state.nonces),
        seconds=tuple(ThroughputFigures(**asdict(second)) for second in gathered.seconds),
        vitals=_vitals(gathered),
    )


def _vitals(gathered: RunAnalysis) -> SelfMonitoringFigures | None:
    """Of the measured phase, as far as it was watched."""
    bounds = gathered.timeline.bounds_ns(Phase.MEASURE)
    if bounds is None:
        return None
    start_ns, end_ns = bounds[0], min(bounds[1], gathered.watched_until_ns)
    return self_monitoring_figures(gathered.vitals, start_ns, end_ns) if start_ns < end_ns else None


def histogram_logs(gathered: RunAnalysis) -> Iterator[tuple[str, list[HistogramInterval]]]:
    """Name of each histogram log, and what goes into it.

    Latency is logged by intervals of intended time, everything else as one interval.
    """
    length_s = interval_length_s(gathered.timeline.edges_ns[-1])
    end_s = gathered.timeline.edges_ns[-1] / NS_PER_S
    for key, cell in _ordered(gathered.cells):
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


def _of_counts(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Histogram:
    filled = np.flatnonzero(counts)
    highest = bucket_high_ns(int(filled[-1])) if len(filled) else 0
    return Histogram(counts=counts.copy(), max_ns=highest)


def _ordered(cells: Mapping[CellKey, Cell]) -> list[tuple[CellKey, Cell]]:
    return sorted(cells.items(), key=lambda item: (item[0].phase, item[0].mode))


def _mode(key: CellKey) -> str:
    return key.mode.name.lower()


def _account(account: SignalOutcomeCounts) -> SignalOutcomeFigures:
    return SignalOutcomeFigures(
        attempted=account.attempted,
        simulated=account.of(SignalOutcome.SIMULATED),
        rejected=account.of(SignalOutcome.REJECTED),
        lost=account.of(SignalOutcome.LOST),
        in_flight=account.of(SignalOutcome.IN_FLIGHT),
        refused=account.of(SignalOutcome.REFUSED),
        recovered=account.of(SignalOutcome.RECOVERED),
        rejected_by={state.name: count for state, count in sorted(account.rejected_by.items())},
        refused_unanswered=account.unanswered,
        recovered_rejected=account.recovered_rejected,
        unseen=account.unseen,
        commit_unknown=account.commit_unknown,
        stale=account.stale,
        stale_rejected=account.stale_rejected,
        behind=account.behind,
        behind_rejected=account.behind_rejected,
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
    """Percentiles for which there are enough values to bound them from above at all."""
    return {
        percentile_name(percentile): value
        for percentile in PERCENTILES
        if histogram.count >= size_needed(percentile)
        and (value := histogram.percentile_ns(percentile)) is not None
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
                p50_ns=supported_percentiles(stage.histogram).get("p50"),
                p99_ns=supported_percentiles(stage.histogram).get("p99"),
                max_ns=stage.histogram.max_ns,
                negative=stage.histogram.negative,
            )
            for stage in split.stages
        ),
        count=split.total.count,
        total_sum_ns=split.total.sum_ns,
        total_mean_ns=split.total.sum_ns / split.total.count,
        notes=(*uncertain_stages(split, error_ns), *split.notes),
    )


def _intervals(
    gathered: RunAnalysis, cells: Sequence[tuple[CellKey, Cell]]
) -> Iterator[IntervalFigures]:
    length_s = interval_length_s(gathered.timeline.edges_ns[-1])
    for key, cell in cells:
        series = cell.series.get(Metric.LATENCY)
        for number, counts in series.counts_by_interval(length_s) if series else ():
            yield IntervalFigures(
                phase=key.phase, mode=_mode(key), **asdict(summarize(number, length_s, counts))
            )


def _resolution(key: CellKey, cell: Cell) -> Iterator[PercentileBounds]:
    committed, seen = cell.histogram(Metric.COMMITTED), cell.histogram(Metric.LATENCY)
    if not committed.count:
        return
    rows = {
        name: (value, supported_percentiles(seen).get(name))
        for name, value in supported_percentiles(committed).items()
    }
    rows["max"] = (committed.max_ns, seen.max_ns)
    for name, (low, high) in rows.items():
        if high is not None:
            yield PercentileBounds(
                phase=key.phase, mode=_mode(key), name=name, committed_ns=low, seen_ns=high
            )


def _rates(gathered: RunAnalysis, intended: Sequence[int] | None) -> Iterator[RateFigures]:
    phases, schedule = gathered.timeline.phases, gathered.schedule
    # What was still sent while the load was being ended is no load that was asked for.
    for phase in (Phase.WARMUP, Phase.MEASURE):
        own = [number for number, other in enumerate(phases) if other is phase]
        if own:
            yield RateFigures(
                phase=phase,
                duration_s=gathered.timeline.duration_ns(phase) / NS_PER_S,
                intended=None if intended is None else sum(intended[number] for number in own),
                attempted=sum(schedule.by_stage[number] for number in own),
                in_phase=sum(schedule.in_phase_by_stage[number] for number in own),
            )
