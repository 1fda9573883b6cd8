"""Signals that never arrived had some time until the watching ended, and nobody knows of more.

A signal that Redis refused never arrives; in a percentile it counts with the time that it had. A
limit longer than that time is not kept by it: that would be a promise kept by not waiting. One
that the engine rejected without excuse is known never to arrive: it lies beyond every limit.
"""

from __future__ import annotations

from harness.analysis.histogram import Histogram
from harness.analysis.recorder import Cell, Metric
from harness.analysis.statistics import ConfidenceInterval, upper_bound_ns
from harness.contract.names import State
from harness.formatting import format_count
from harness.judge.check import CheckContext, Figure
from harness.judge.validity import generator_was_late
from harness.judge.verdict import Verdict


def rests_on_censored(cell: Cell, metric: Metric, found: ConfidenceInterval, limit_ns: int) -> bool:
    """Whether a percentile keeps its limit only if signals that never arrived would have too.

    Args:
        cell: the signals.
        metric: of which the percentile is.
        found: its interval, with those signals at the time they had.
        limit_ns: what it keeps.
    """
    never_came = cell.censored_histogram(metric)
    if not never_came.count_below(limit_ns):
        return False
    # Each of them beyond any limit: they are the slowest of all.
    arrived = cell.slo_histogram(metric).without(never_came)
    upper_ns = upper_bound_ns(
        arrived,
        found.percentile,
        found.effective,
        beyond=never_came.count,
        confidence=found.confidence,
    )
    return upper_ns is None or upper_ns >= limit_ns


def format_rejected(cell: Cell, metric: Metric) -> str:
    """How rejections count in a metric; empty without any."""
    number = len(cell.rejected.get(metric, ()))
    if not number:
        return ""
    return f"; {format_count(number, 'rejected signal')} never arrived: beyond every limit"


def judge_rejected_by_late_data(cell: Cell, case: CheckContext) -> tuple[Verdict, str]:
    """What a limit comes to that only rejections break, and why.

    Data that are sent late are stale: a late generator may have caused every one of them.
    """
    if State.STALE_DATA_ERROR in cell.account.rejected_by and generator_was_late(case):
        return Verdict.INVALID, "; the generator was late, and so its data stale"
    return Verdict.FAIL, ""


def censored_below_count(cell: Cell, metric: Metric, limit_ns: int) -> int:
    """How many signals never arrived and had less time than the limit."""
    return cell.censored_histogram(metric).count_below(limit_ns)


def exceedance_figures(
    cell: Cell, metric: Metric, percentile: float, limit_ns: int, measured_ns: int
) -> dict[str, Figure]:
    """The figures of a check that a group needs.

    `beyond` counts every signal that may have taken as long as the limit or longer, those that
    never arrived among them. `beyond_least` counts only those that did so by their commit time and
    counted from their sending too: as a run's own FAIL, a group's must not be the fault of observer
    or generator.
    """
    histogram = cell.slo_histogram(metric)
    beyond = _beyond(histogram, limit_ns)
    least = [beyond]
    if metric is not Metric.LATENESS:
        least.append(max(0, beyond - cell.histogram(Metric.UNSEEN).count))
    if metric is Metric.LATENCY:
        others = [cell.slo_histogram(other) for other in (Metric.SERVICE, Metric.COMMITTED)]
        least += [_beyond(other, limit_ns) for other in others if other.count]
    return {
        "percentile": percentile,
        "beyond": beyond + censored_below_count(cell, metric, limit_ns),
        "beyond_least": min(least),
        "measured_ns": measured_ns,
    }


def _beyond(histogram: Histogram, limit_ns: int) -> int:
    return histogram.count - histogram.count_below(limit_ns)
