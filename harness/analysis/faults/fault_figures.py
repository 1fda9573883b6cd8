"""Figures of faults: when each was in force, and the latencies outside of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from harness.analysis.faults.fault_windows import FaultWindow, baseline_durations
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.series import Series
from harness.clock import NS_PER_S
from harness.evidence.fault_log import FaultRecord
from harness.scenario.models import Phase

# Of these metrics the signals outside of fault windows have figures of their own.
BASELINE_METRICS = frozenset({Metric.LATENCY, Metric.LATENESS, Metric.OBSERVER})
_PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultFigures(_Value):
    """One fault; times are seconds after t0, None for what never happened.

    Attributes:
        peer: the other service, of a fault between two.
        planned_s: when it was to begin.
        for_s: how long it was to last; 0 where it is a moment.
        seen: what the probe saw when it was in force.
        seen_healed: what the probe saw when it was over.
        trouble: what went wrong; empty if nothing did.
        answered_s: when the system was seen to have done what it has to do about it.
        answer: what was seen of that.
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
        """Its kind with its services, for a reader."""
        return " ".join(part for part in (self.kind, self.target, self.peer) if part)


class BaselineFigures(_Value):
    """A metric of the measured signals that were intended outside of every fault window.

    A window reaches from a normal time before the injection of a fault until it was seen healed and
    nothing was overdue any more. Percentiles and maximum are upper ends of buckets.
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
    """Of each mode and metric of which the order in time was kept; nothing without a window."""
    for key, cell in cells if spans else ():
        if key.phase is not Phase.MEASURE:
            continue
        for metric in sorted(BASELINE_METRICS & cell.series.keys()):
            yield _figures(key.mode.name.lower(), metric, cell.series[metric], spans, t0_ns)


def _figures(
    mode: str, metric: Metric, series: Series, spans: Sequence[FaultWindow], t0_ns: int
) -> BaselineFigures:
    found = baseline_durations(series, spans, t0_ns)
    known = {f"p{rank:g}": found.percentile_ns(rank) for rank in _PERCENTILES}
    return BaselineFigures(
        mode=mode,
        metric=metric,
        count=found.count,
        percentiles_ns={name: value for name, value in known.items() if value is not None},
        max_ns=found.max_ns,
    )
