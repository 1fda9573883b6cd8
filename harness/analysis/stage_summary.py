"""From the analysis of a run to the figures of each stage of its load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.run_analysis import RunAnalysis
from harness.analysis.series import Series
from harness.analysis.stage_clock import StageClock
from harness.analysis.stage_figures import StageFigures, StageLatencyFigures
from harness.analysis.statistics import (
    estimate_effective_sample,
    percentile_interval,
    size_needed,
)
from harness.analysis.throughput_series import ThroughputInterval
from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.records import Mode
from harness.scenario.models import Load

_Span = tuple[int, int]


def stage_figures(
    analysis: RunAnalysis, intended: Sequence[int] | None, load: Load
) -> Iterator[StageFigures]:
    """The figures of each stage, in order of their numbers.

    A signal belongs to the stage in which it was intended, by its time to 1 ms.

    Args:
        analysis: of the run's evidence.
        intended: signals of the plan by index of the timeline; None when they were not computed.
        load: as it was executed.
    """
    clock = StageClock.of_load(load)
    spans_ns = list(pairwise(clock.edges_ns))
    for number, stage in enumerate(load.stages, 1):
        own = [index for index, one in enumerate(clock.stages) if one.number == number]
        spans = [spans_ns[index] for index in own]
        yield StageFigures(
            number=number,
            name=stage.name,
            phase=stage.phase,
            repetitions=len(own),
            agents=stage.agents,
            duration_s=sum(end - start for start, end in spans) / NS_PER_S,
            rate_from=stage.rate_from,
            rate_to=stage.rate_to,
            intended=None if intended is None else sum(intended[index] for index in own),
            sent=sum(analysis.signals.schedule.in_phase_by_stage[index] for index in own),
            simulated_per_s=_simulated_per_s(analysis.signals.throughput, spans),
            in_flight_end=_in_flight_end(analysis.signals.throughput, spans),
            latency=tuple(
                latency
                for mode in Mode
                if (cell := analysis.signals.cells.get(CellKey(stage.phase, mode)))
                and (latency := _latency(mode, cell, spans))
            ),
        )


def _latency(mode: Mode, cell: Cell, spans_ns: Sequence[_Span]) -> StageLatencyFigures | None:
    spans_ms = [(start // NS_PER_MS, end // NS_PER_MS) for start, end in spans_ns]
    part = cell.series.get(Metric.LATENCY, Series()).within(spans_ms)
    if not len(part):
        return None
    shown, slo = part.histogram(), cell.slo_series(Metric.LATENCY).within(spans_ms)
    found = percentile_interval(slo.histogram(), 99.0, estimate_effective_sample(slo, 99.0))

    def percentile(rank: float) -> int | None:
        return shown.percentile_ns(rank) if shown.count >= size_needed(rank) else None

    def bound(value_ns: int | None) -> int | None:
        """Rejections have their time until the end, as in every table."""
        return None if value_ns is None else min(value_ns, shown.max_ns)

    return StageLatencyFigures(
        mode=mode.name.lower(),
        count=shown.count,
        p50_ns=percentile(50.0),
        p99_ns=percentile(99.0),
        p99_lower_ns=bound(found.lower_ns) if found else None,
        p99_upper_ns=bound(found.upper_ns) if found else None,
        max_ns=shown.max_ns,
    )


def _simulated_per_s(
    seconds: Sequence[ThroughputInterval], spans_ns: Sequence[_Span]
) -> float | None:
    inside = [
        second
        for second in seconds
        if any(
            start <= second.start_s * NS_PER_S
            and (second.start_s + second.length_s) * NS_PER_S <= end
            for start, end in spans_ns
        )
    ]
    length_s = sum(second.length_s for second in inside)
    return sum(second.simulated for second in inside) / length_s if length_s else None


def _in_flight_end(seconds: Sequence[ThroughputInterval], spans_ns: Sequence[_Span]) -> int | None:
    """Signals in flight at the end of the interval that has the end of a span; the largest."""
    ends = [
        next(
            (
                second.in_flight
                for second in seconds
                if (second.start_s + second.length_s) * NS_PER_S >= end
            ),
            None,
        )
        for _, end in spans_ns
    ]
    return max((one for one in ends if one is not None), default=None)
