"""Why a promise that the sightings break is INCONCLUSIVE and not FAIL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from harness.judge.check import Check
from harness.measure.histogram import Histogram
from harness.measure.recorder import Cell, Metric
from harness.measure.statistics import Interval, interval

UNDECIDED_BY = "undecided_by"
OBSERVER, GENERATOR, HOST = "observer", "generator", "host"


class Doubt(NamedTuple):
    """By what a promise is left undecided, and words for it."""

    by: str
    said: str


OBSERVER_TOO_SLOW = Doubt(
    OBSERVER,
    "; by their commit times, or by the reads before, it could be met:"
    " the observer was too slow to tell",
)
GENERATOR_TOO_LATE = Doubt(
    GENERATOR, "; counted from their sending it could be met: the generator was too late to tell"
)


def doubt_of_host(said: str) -> Doubt:
    """What others on the host did, in words."""
    return Doubt(HOST, f"; {said}")


def left_undecided(checks: Iterable[Check], by: str) -> list[str]:
    """Names of the checks that OBSERVER, GENERATOR or HOST leaves undecided."""
    return [check.name for check in checks if check.figures.get(UNDECIDED_BY) == by]


def fastest(cell: Cell, metric: Metric, histogram: Histogram) -> Histogram:
    """Without the signals of which only an upper bound is known."""
    unseen = cell.histogram(Metric.UNSEEN)
    if metric is not Metric.LATENCY or not unseen.count:
        return histogram
    return histogram.without(unseen)


def least(cell: Cell, metric: Metric) -> Histogram:
    """The lower bounds of the truth, taken from the intended time on, as latency is."""
    return cell.judged(metric if metric is Metric.LATENESS else Metric.COMMITTED)


def observer_may_be_slow(cell: Cell, metric: Metric, found: Interval, limit_ns: int) -> bool:
    """Whether the lower bounds of the truth do not say FAIL as well."""
    return metric is not Metric.LATENESS and could_be_met(least(cell, metric), found, limit_ns)


def generator_may_be_late(cell: Cell, metric: Metric, found: Interval, limit_ns: int) -> bool:
    """Whether the service times, which leave out the generator's lateness, do not say FAIL."""
    return metric is Metric.LATENCY and could_be_met(cell.judged(Metric.SERVICE), found, limit_ns)


def could_be_met(lowest: Histogram, found: Interval, limit_ns: int) -> bool:
    """Whether the lower bound of a percentile keeps a limit, by other durations of the signals."""
    bound = interval(lowest, found.percentile, found.effective, confidence=found.confidence)
    return bound is not None and (bound.lower_ns is None or bound.lower_ns < limit_ns)
