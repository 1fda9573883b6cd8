"""Figures of faults: times of each, and the latencies outside of all fault windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from harness.analysis.faults.fault_windows import FaultWindow, baseline_durations
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.series import Series
from harness.clock import NS_PER_S
from harness.evidence.fault_log import FaultRecord
from harness.scenario.models import Phase

# Metrics that have baseline figures where a run has faults.
BASELINE_METRICS = frozenset({Metric.LATENCY, Metric.LATENESS, Metric.OBSERVER})
_PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultFigures(_Value):
    """One fault; times are seconds after t0, None for events that never happened.

    Attributes:
        peer: the other service, of a fault between two.
        planned_s: planned start.
        for_s: planned length; 0 for an instantaneous fault.
        seen: result of the probe while it was in force.
        seen_healed: result of the probe after its end.
        trouble: what failed; empty if nothing did.
        answered_s: when the expected reaction of the system was observed.
        answer: what was observed of that reaction.
    """

    kind: str
    target: str
    peer: str = ""
    planned_s: float
    for_s: float
    injected_s: float | None
    proven_s: float | None
    healed_s: float | None
    heal_proven_s: float | None
    seen: str
    seen_healed: str
    trouble: str
    answered_s: float | None = None
    answer: str = ""

    @property
    def name(self) -> str:
        """Kind, target and peer in one text."""
        return " ".join(part for part in (self.kind, self.target, self.peer) if part)


class BaselineFigures(_Value):
    """A metric of the measured signals that were intended outside of every fault window.

    A window starts one normal latency before the injection of a fault. It ends when the fault is
    proven healed and no signal is overdue any more. Percentiles and maximum are upper ends of
    buckets.
    """

    mode: str
    metric: str
    count: int
    percentiles_ns: dict[str, int]
    max_ns: int


def fault_figures(records: Sequence[FaultRecord], t0_ns: int) -> Iterator[FaultFigures]:
    """Each fault in the order of the plan."""

    def since(when_ns: int | None) -> float | None:
        return None if when_ns is None else (when_ns - t0_ns) / NS_PER_S

    for record in records:
        yield FaultFigures(
            kind=record.kind,
            target=record.target,
            peer=record.peer,
            planned_s=(record.planned_ns - t0_ns) / NS_PER_S,
            for_s=record.for_ns / NS_PER_S,
            injected_s=since(record.injected_ns),
            proven_s=since(record.proven_ns),
            healed_s=since(record.healed_ns),
            heal_proven_s=since(record.heal_proven_ns),
            seen=record.seen,
            seen_healed=record.seen_healed,
            trouble=record.trouble,
            answered_s=since(record.answered_ns),
            answer=record.answer,
        )


def baseline_figures(
    cells: Sequence[tuple[CellKey, Cell]], spans: Sequence[FaultWindow], t0_ns: int
) -> Iterator[BaselineFigures]:
    """Figures of each mode and metric that has a series; none without a window."""
    for key, cell in cells if spans else ():
        if key.phase is not Phase.MEASURE:
            continue
        for metric in sorted(BASELINE_METRICS & cell.series.keys()):
            yield _figures(key.mode.name.lower(), metric, cell.series[metric], spans, t0_ns)


def _figures(
    mode: str, metric: Metric, series: Series, spans: Sequence[FaultWindow], t0_ns: int
) -> BaselineFigures:
    durations = baseline_durations(series, spans, t0_ns)
    percentiles = {f"p{rank:g}": durations.percentile_ns(rank) for rank in _PERCENTILES}
    return BaselineFigures(
        mode=mode,
        metric=metric,
        count=durations.count,
        percentiles_ns={name: value for name, value in percentiles.items() if value is not None},
        max_ns=durations.max_ns,
    )
