"""From the analysis of a run to the figures of each stage of its load."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise

from harness.analysis.measurement import ThroughputFigures
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
    indexes: dict[int, list[int]] = {}
    for index, one in enumerate(clock.stages):
        indexes.setdefault(one.number, []).append(index)
    spans_ns = list(pairwise(clock.edges_ns))
    series = {key: _series(cell) for key, cell in analysis.signals.cells.items()}
    seconds = analysis.signals.throughput
    for number, stage in enumerate(load.stages, 1):
        own = indexes[number]
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
            simulated_per_s=_simulated_per_s(seconds, spans),
            in_flight_end=_in_flight_end(seconds, spans),
            latency=tuple(
                latency
                for mode in Mode
                if (both := series.get(CellKey(stage.phase, mode)))
                and (latency := _latency(mode, *both, spans))
            ),
        )


def throughput_figures(
    seconds: Sequence[ThroughputInterval], load: Load
) -> Iterator[ThroughputFigures]:
    """Each interval with the stage at its start."""
    clock = StageClock.of_load(load)
    for second in seconds:
        stage = clock.at_s(second.start_s)
        yield ThroughputFigures(
            **asdict(second),
            stage=stage.number if stage else None,
            agents=stage.agents if stage else None,
        )


def _series(cell: Cell) -> tuple[Series, Series]:
    """Latency as reports show it, and as objectives count it: rejections beyond every limit."""
    if Metric.LATENCY not in cell.series:
        return Series(), Series()
    return cell.series[Metric.LATENCY], cell.slo_series(Metric.LATENCY)


def _latency(
    mode: Mode, every: Series, every_slo: Series, spans_ns: Sequence[_Span]
) -> StageLatencyFigures | None:
    spans_ms = [(start // NS_PER_MS, end // NS_PER_MS) for start, end in spans_ns]
    part = every.within(spans_ms)
    if not len(part):
        return None
    shown, slo = part.histogram(), every_slo.within(spans_ms)
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
    starts_ns = [start for start, _ in spans_ns]
    simulated, length_s = 0, 0.0
    for second in seconds:
        at = bisect_right(starts_ns, second.start_s * NS_PER_S) - 1
        if at >= 0 and _end_ns(second) <= spans_ns[at][1]:
            simulated += second.simulated
            length_s += second.length_s
    return simulated / length_s if length_s else None


def _in_flight_end(seconds: Sequence[ThroughputInterval], spans_ns: Sequence[_Span]) -> int | None:
    """Signals in flight at the end of the interval that has the end of a span; the largest."""
    ends_ns = [_end_ns(second) for second in seconds]
    found = [bisect_left(ends_ns, end) for _, end in spans_ns]
    return max((seconds[at].in_flight for at in found if at < len(seconds)), default=None)


def _end_ns(second: ThroughputInterval) -> float:
    return (second.start_s + second.length_s) * NS_PER_S
