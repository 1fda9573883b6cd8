"""Signals that never arrived had some time until the watching ended, and nobody knows of more.

A signal that Redis refused never arrives; in a percentile it counts with the time that it had. A
limit longer than that time is not kept by it: that would be a promise kept by not waiting.
"""

from __future__ import annotations

from harness.measure.recorder import Cell, Metric
from harness.measure.statistics import Interval, upper_bound_ns


def rests_on_time_had(
    cell: Cell, metric: Metric, found: Interval, limit_ns: int, confidence: float
) -> bool:
    """Whether a percentile keeps its limit only if signals that never arrived would have too.

    Args:
        cell: the signals.
        metric: of which the percentile is.
        found: its interval, with those signals at the time they had.
        limit_ns: what it keeps.
        confidence: of its bounds.
    """
    never_came = cell.never_came(metric)
    if not never_came.count_below(limit_ns):
        return False
    # Each of them beyond any limit: they are the slowest of all.
    arrived = cell.histogram(metric).without(never_came)
    upper_ns = upper_bound_ns(
        arrived,
        found.percentile,
        found.effective,
        beyond=never_came.count,
        confidence=confidence,
    )
    return upper_ns is None or upper_ns >= limit_ns


def some_had_less(cell: Cell, metric: Metric, limit_ns: int) -> int:
    """How many signals never arrived and had less time than the limit."""
    return cell.never_came(metric).count_below(limit_ns)
