"""Percentile distributions as text, in the form that HdrHistogram's plotters read (`.hgrm`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import bucket_high_ns, bucket_low_ns
from harness.analysis.histogram_encoding import decode
from harness.analysis.measurement import Durations
from harness.clock import NS_PER_MS
from harness.evidence import atomic_files

# Ticks per halving of the distance to 100 %, as HdrHistogram's own tools print them.
_TICKS = 5


def write_hgrm(measurement: Durations, target: Path) -> tuple[Path, ...]:
    """Write a file for each metric of each phase and mode; the folder is created if needed.

    Raises:
        EvidenceError: a file cannot be written.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic_files.io_error("create", target, error) from error
    written = []
    for figures in measurement.figures:
        if figures.count > figures.negative + figures.overflow:
            path = target / f"{figures.phase}-{figures.mode}-{figures.metric}.hgrm"
            atomic_files.write_text(path, hgrm_text(figures.histogram))
            written.append(path)
    return tuple(written)


def hgrm_text(encoded: str) -> str:
    """The distribution of an encoded histogram, values in ms.

    The format of `outputPercentileDistribution` in HdrHistogram for Java. The Python package needs
    half a second for each histogram, and leaves the deviation in ns.

    Args:
        encoded: HdrHistogram V2, base64; ns, not empty. Values outside of it are in
            `MetricFigures`.
    """
    counts = decode(encoded).counts
    filled = np.flatnonzero(counts)
    highs_ns = [bucket_high_ns(index) for index in filled.tolist()]
    sums = np.cumsum(counts[filled])
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for place, share in _ticks(sums):
        line = f"{highs_ns[place] / NS_PER_MS:12.3f} {share:2.12f} {int(sums[place]):10d}"
        # The last line has no distance to 100 %.
        lines.append(f"{line} {1 / (1 - share):14.2f}" if share < 1 else line)
    mean_ns, deviation_ns = _moments(filled, counts[filled])
    lines += [
        f"#[Mean    = {mean_ns / NS_PER_MS:12.3f},"
        f" StdDeviation   = {deviation_ns / NS_PER_MS:12.3f}]",
        f"#[Max     = {highs_ns[-1] / NS_PER_MS:12.3f}, Total count    = {int(sums[-1]):12d}]",
        # The layout of harness.analysis.histogram in HdrHistogram's own terms.
        f"#[Buckets = {23:12d}, SubBuckets     = {2_048:12d}]",
    ]
    return "\n".join(lines) + "\n"


def _ticks(sums: NDArray[np.int64]) -> Iterator[tuple[int, float]]:
    """Index and share of each line, with the steps of HdrHistogram's PercentileIterator."""
    total = int(sums[-1])
    level, place = 0.0, -1
    while place < 0 or int(sums[place]) < total:
        rank = math.ceil(level * total / 100)
        place = max(int(np.searchsorted(sums, max(1, rank))), 0)
        yield place, level / 100
        halvings = math.floor(math.log2(100 / (100 - level))) + 1
        level += 100 / (_TICKS * 2**halvings)
    yield place, 1.0


def _moments(filled: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and deviation; each value counts as the middle of its bucket."""
    middles = np.array(
        [(bucket_low_ns(index) + bucket_high_ns(index) + 1) / 2 for index in filled.tolist()]
    )
    mean = float(np.average(middles, weights=counts))
    return mean, math.sqrt(float(np.average((middles - mean) ** 2, weights=counts)))
