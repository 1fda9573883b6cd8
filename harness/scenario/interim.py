"""When a run that ends as soon as it is decided analyses its verdict, and with which confidence.

A group sequential plan: the times are fixed before the run, and each analysis may err with its
share of the total error. By the union bound all of them together err no more often than a single
analysis would, whatever rule decides at which of them the run ends, and however they depend on each
other (Jennison and Turnbull, Group Sequential Methods, section 1.4; equal shares as in Bonferroni).
"""

from __future__ import annotations

# Each analysis has twice the data of the one before; an interval changes little in less.
_GROWTH = 2.0
# An analysis so shortly before the last one would cost its share of the error for nothing.
_LAST_GROWTH_MIN = 1.25


def analysis_times_s(least_s: float, most_s: float) -> tuple[float, ...]:
    """Lengths of measured load after which the verdict is analysed, ascending.

    Args:
        least_s: length of the load until the first analysis.
        most_s: length until the last one; not less.
    """
    times = [least_s]
    while times[-1] * _GROWTH * _LAST_GROWTH_MIN <= most_s:
        times.append(times[-1] * _GROWTH)
    if times[-1] < most_s:
        times.append(most_s)
    return tuple(times)


def confidence_of_each(overall: float, analyses: int) -> float:
    """The confidence of each analysis that gives all of them together the overall one."""
    return 1 - (1 - overall) / analyses
