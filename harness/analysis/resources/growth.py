"""How fast memory and disk space grow during the measured phase.

The slope is that of Theil and Sen, the median of the slopes of all pairs of points: a checkpoint, a
rewritten file or a collected heap, which make a few points differ, do not move it. Its bounds are
those of Sen (1968), from the distribution of Kendall's statistic S, whose variance without ties is
n (n - 1) (2 n + 5) / 18: with C = z sqrt(Var S) the bounds are the (N - C) / 2-th and
(N + C) / 2-th of the N slopes. Tied values make the variance smaller, so the bounds hold. Samples
of a second are autocorrelated, so points are the means of blocks of time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.resources.self_monitoring import HostSample
from harness.analysis.resources.telemetry import Telemetry
from harness.clock import NS_PER_S

# A shorter time says little of an hour: caches and heaps are still filled.
SPAN_MIN_S = 300.0
# Left out at the beginning of the measured phase, for the same reason.
SETTLE_SHARE = 0.1
BLOCKS = 30
# With fewer, the bounds are the smallest and the largest slope.
BLOCKS_MIN = 8
# One-sided 5 % point of the standard normal distribution.
_Z = 1.6449
_SECONDS_PER_H = 3_600.0
_MEMORY = re.compile(r"service\.(?P<name>.+)\.memory_private_bytes")
DISK_TRACKS: Mapping[str, str] = {
    "harness.evidence_bytes": "evidence",
    "postgres.database_bytes": "PostgreSQL",
    "redis.aof_bytes": "Redis AOF",
}


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of one subject.

    Attributes:
        subject: "engine", "harness swarm-0", "evidence", ...
        bytes_per_h: the slope.
        lower, upper: its one-sided 95 % bounds.
        blocks: number of points.
        start_bytes, end_bytes: mean of the first and of the last block.
    """

    subject: str
    bytes_per_h: float
    lower: float
    upper: float
    blocks: int
    start_bytes: float
    end_bytes: float


Samples = tuple[Sequence[float], Sequence[float]]


def memory_samples(
    telemetry: Telemetry, host: Sequence[HostSample], t0_ns: int
) -> dict[str, Samples]:
    """Times in seconds after t0 and bytes: of each service, and of each process of the harness.

    Of a service the private memory: a cache of a fixed size, such as `shared_buffers`, may take
    hours to fill.
    """
    found: dict[str, Samples] = {}
    for name, track in telemetry.time_series.items():
        if match := _MEMORY.fullmatch(name):
            found[match["name"]] = track.at_s, track.values
    names = sorted({name for sample in host for name in sample.processes})
    for name in names:
        own = [sample for sample in host if name in sample.processes]
        at_s = [(sample.mono_ns - t0_ns) / NS_PER_S for sample in own]
        found[f"harness {name}"] = at_s, [float(one.processes[name].rss_bytes) for one in own]
    return found


def disk_samples(telemetry: Telemetry) -> dict[str, Samples]:
    """The same of each file or folder that is kept on a disk."""
    tracks = ((subject, telemetry.time_series.get(name)) for name, subject in DISK_TRACKS.items())
    return {subject: (track.at_s, track.values) for subject, track in tracks if track is not None}


def growth_of(samples: Mapping[str, Samples], start_s: float, end_s: float) -> Iterator[Growth]:
    """The growth of each subject that has enough samples.

    Args:
        samples: by subject.
        start_s: start of the measured phase; its beginning is left out.
        end_s: its end.
    """
    first_s = start_s + SETTLE_SHARE * (end_s - start_s)
    for subject, (at_s, values) in samples.items():
        at, means = block_means(np.asarray(at_s), np.asarray(values), first_s, end_s)
        if len(at) < BLOCKS_MIN:
            continue
        slope, lower, upper = theil_sen(at / _SECONDS_PER_H, means)
        yield Growth(subject, slope, lower, upper, len(at), float(means[0]), float(means[-1]))


def block_means(
    at_s: NDArray[np.float64], values: NDArray[np.float64], start_s: float, end_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean time and mean value of each of `BLOCKS` equal parts of a time that has samples."""
    inside = (at_s >= start_s) & (at_s < end_s)
    at_s, values = at_s[inside].astype(np.float64), values[inside].astype(np.float64)
    if not len(at_s):
        return at_s, values
    block = ((at_s - start_s) * BLOCKS / (end_s - start_s)).astype(np.int64).clip(0, BLOCKS - 1)
    counts = np.bincount(block, minlength=BLOCKS)
    kept = counts > 0
    times = np.bincount(block, weights=at_s, minlength=BLOCKS)[kept] / counts[kept]
    means = np.bincount(block, weights=values, minlength=BLOCKS)[kept] / counts[kept]
    return times, means


def theil_sen(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Slope, and its lower and upper one-sided 95 % bound; of two points or more, x ascending."""
    first, second = np.triu_indices(len(x), k=1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    total, points = len(slopes), len(x)
    half = _Z * math.sqrt(points * (points - 1) * (2 * points + 5) / 18)
    lower = max(0, math.floor((total - half) / 2) - 1)
    upper = min(total - 1, math.ceil((total + half) / 2))
    return float(np.median(slopes)), float(slopes[lower]), float(slopes[upper])
