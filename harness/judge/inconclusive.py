"""Why an objective that the observations miss is INCONCLUSIVE and not FAIL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from harness.analysis.histogram import Histogram
from harness.analysis.recorder import Cell, Metric
from harness.analysis.statistics import ConfidenceInterval, percentile_interval
from harness.judge.check import Check

INCONCLUSIVE_BY = "undecided_by"
OBSERVER, GENERATOR, HOST = "observer", "generator", "host"


class InconclusiveReason(NamedTuple):
    """What leaves an objective undecided, and the text of a message."""

    source: str
    message: str


OBSERVER_TOO_SLOW = InconclusiveReason(
    OBSERVER,
    "; by their commit times, or by the reads before, it could be met:"
    " the observer was too slow to decide",
)
GENERATOR_TOO_LATE = InconclusiveReason(
    GENERATOR, "; counted from their sending it could be met: the generator was too late to decide"
)


def host_interfered(message: str) -> InconclusiveReason:
    """Host interference as the reason."""
    return InconclusiveReason(HOST, f"; {message}")


def inconclusive_checks(checks: Iterable[Check], by: str) -> list[str]:
    """Names of the checks that OBSERVER, GENERATOR or HOST leaves inconclusive."""
    return [check.name for check in checks if check.figures.get(INCONCLUSIVE_BY) == by]


def without_unseen(cell: Cell, metric: Metric, histogram: Histogram) -> Histogram:
    """Without the signals of which only an upper bound is known."""
    unseen = cell.histogram(Metric.UNSEEN)
    if metric is not Metric.LATENCY or not unseen.count:
        return histogram
    return histogram.without(unseen)


def lower_bounds(cell: Cell, metric: Metric) -> Histogram:
    """Lower bounds of the durations, from the intended time on, as for latency."""
    return cell.slo_histogram(metric if metric is Metric.LATENESS else Metric.COMMITTED)


def observer_may_be_slow(
    cell: Cell, metric: Metric, found: ConfidenceInterval, limit_ns: int
) -> bool:
    """Whether the lower bounds of the durations may meet the limit."""
    return metric is not Metric.LATENESS and could_be_met(
        lower_bounds(cell, metric), found, limit_ns
    )


def generator_may_be_late(
    cell: Cell, metric: Metric, found: ConfidenceInterval, limit_ns: int
) -> bool:
    """Whether the service times, which leave out the generator's lateness, may meet the limit."""
    return metric is Metric.LATENCY and could_be_met(
        cell.slo_histogram(Metric.SERVICE), found, limit_ns
    )


def could_be_met(lowest: Histogram, found: ConfidenceInterval, limit_ns: int) -> bool:
    """Whether the lower bound of a percentile keeps a limit, by other durations of the signals."""
    bound = percentile_interval(
        lowest, found.percentile, found.effective, confidence=found.confidence
    )
    return bound is not None and (bound.lower_ns is None or bound.lower_ns < limit_ns)
