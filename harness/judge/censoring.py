"""Censored signals: they had not arrived when the observation ended.

A signal that Redis refused never arrives; a percentile counts it with the time until the
observation ended. It does not meet a limit longer than that time: else a short observation would
meet every objective. A signal that the engine rejected without excuse never arrives: it is beyond
every limit.
"""

from __future__ import annotations

from harness.analysis.histogram import Histogram
from harness.analysis.recorder import Cell, Metric
from harness.analysis.statistics import ConfidenceInterval, upper_bound_ns
from harness.contract.names import State
from harness.formatting import format_count
from harness.judge.check import CheckContext, Figure
from harness.judge.host_attribution import interference_explains_miss
from harness.judge.host_interference import starved_by_runs
from harness.judge.inconclusive import host_interfered
from harness.judge.validity import generator_was_late
from harness.judge.verdict import Verdict
from harness.scenario import Objective


def rests_on_censored(cell: Cell, metric: Metric, found: ConfidenceInterval, limit_ns: int) -> bool:
    """Whether a percentile meets its limit only by counting censored signals.

    Args:
        cell: the signals.
        metric: of which the percentile is.
        found: its interval, with censored signals at the time until the observation ended.
        limit_ns: that it meets.
    """
    never_came = cell.censored_histogram(metric)
    if not never_came.count_below(limit_ns):
        return False
    # Censored signals count as the slowest of all, beyond any limit.
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


def judge_rejected_by_late_data(
    objective: Objective, cell: Cell, case: CheckContext
) -> tuple[Verdict, str | None, str]:
    """The verdict on a limit that only rejections break, what leaves it undecided, and why.

    Data that are sent or read late are stale: a late generator, or other runs that left no core
    idle, may have caused every one of them.
    """
    if State.STALE_DATA_ERROR not in cell.account.rejected_by:
        return Verdict.FAIL, None, ""
    if generator_was_late(case):
        return Verdict.INVALID, None, "; the generator was late, and so its data stale"
    others = starved_by_runs(case)
    if others and interference_explains_miss(case, objective, cell):
        return Verdict.INCONCLUSIVE, *host_interfered(f"{others}: data became stale")
    return Verdict.FAIL, None, ""


def censored_below_count(cell: Cell, metric: Metric, limit_ns: int) -> int:
    """How many censored signals were observed for less than the limit."""
    return cell.censored_histogram(metric).count_below(limit_ns)


def exceedance_figures(
    cell: Cell, metric: Metric, percentile: float, limit_ns: int, measured_ns: int
) -> dict[str, Figure]:
    """The figures of a check that a group needs.

    `beyond` counts every signal whose duration may reach the limit, censored
    ones included. `beyond_least` counts only those that do so also by commit time and by service
    time: neither observer nor generator may cause a group's FAIL.
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
