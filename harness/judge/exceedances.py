"""How many signals of a run lie beyond a limit: what a group of runs pools."""

from __future__ import annotations

from harness.analysis.histogram import Histogram
from harness.analysis.recorder import Cell, Metric
from harness.judge.censoring import censored_below_count
from harness.judge.check import Figure


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
