"""Whether other runs of a harness left the host without an idle core.

Self-monitoring samples the cores and counts the other runs. Both are read between two of its
samples, however far apart they are, since the kernel's figures are running totals. Telemetry shows
how much of the cores other programs used. Where it does, an idle run excuses nothing, and a system
that fills the cores by itself has no excuse. Where it shows nothing of that time, it is unknown
who used the cores. Of a run in another PID namespace no process is seen: what neither system nor
harness used of the cores is then the use of others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from harness.analysis.resources.self_monitoring import HostSample
from harness.analysis.resources.telemetry import Telemetry
from harness.clock import NS_PER_S
from harness.judge.check import CheckContext
from harness.judge.limits import FOREIGN_CORES_SHARE, IDLE_CORES_SHARE

# The kernel counts cores in clock ticks of 10 ms: a shorter time gives no share.
_INTERVAL_MIN_S = 0.2
# Part of an interval for which telemetry must know the use of other programs.
_KNOWN_SHARE = 0.5
_RUNS, _FOREIGN = "host.other_runs_count", "host.foreign_cores"


@dataclass(frozen=True, slots=True)
class StarvedInterval:
    """Time in which other runs were under way and no core was idle.

    Attributes:
        span_s: start and end, in seconds after t0.
        runs: other runs that were under way.
        cores: of the host.
        foreign_cores: cores that other programs used; None where telemetry does not show it.
    """

    span_s: tuple[float, float]
    runs: int
    cores: int
    foreign_cores: float | None


def run_counts(case: CheckContext) -> list[int]:
    """Other runs under way on this host, a number for each sample; the source that saw more."""
    monitored = [
        one.other_runs
        for one in case.analysis.instruments.self_monitoring.samples
        if one.other_runs is not None
    ]
    series = case.telemetry().time_series.get(_RUNS)
    sampled = [round(value) for value in series.values] if series else []
    return max(monitored, sampled, key=lambda counts: max(counts, default=-1))


def starved_intervals(case: CheckContext) -> list[StarvedInterval]:
    """All such intervals of a run, in order; none where self-monitoring counted no other run."""
    t0_ns, telemetry = case.analysis.timeline.t0_ns, case.telemetry()
    samples = case.analysis.instruments.self_monitoring.samples
    counts = _counts(samples, t0_ns)
    if not any(one.runs > 0 for one in counts):
        return []
    counted_s, found = [one.at_s for one in counts], list[StarvedInterval]()
    foreign, outside = _CoreUse.by_others(telemetry), _CoreUse.outside(telemetry)
    for earlier, later in pairwise(samples):
        start_s, end_s = ((one.mono_ns - t0_ns) / NS_PER_S for one in (earlier, later))
        cores = min(len(earlier.cores), len(later.cores))
        if end_s - start_s < _INTERVAL_MIN_S or not cores:
            continue
        # Those counted within, and the nearest before and after.
        first, last = bisect_right(counted_s, start_s), bisect_left(counted_s, end_s)
        near = counts[max(0, first - 1) : last + 1]
        is_unseen = any(one.unseen > 0 for one in near)
        used = (outside if is_unseen else foreign).between(start_s, end_s)
        has_idle = _idle_share(earlier, later) > IDLE_CORES_SHARE
        by_others = used is None or used >= FOREIGN_CORES_SHARE * cores
        runs = max(one.runs for one in near)
        if runs > 0 and by_others and not has_idle:
            found.append(StarvedInterval((start_s, end_s), runs, cores, used))
    return found


class _Count(NamedTuple):
    """Other runs, and those of them whose processes are not visible, at a time after t0."""

    at_s: float
    runs: int
    unseen: int


def _counts(samples: Sequence[HostSample], t0_ns: int) -> list[_Count]:
    return [
        _Count((one.mono_ns - t0_ns) / NS_PER_S, one.other_runs, one.unseen_runs)
        for one in samples
        if one.other_runs is not None
    ]


def _idle_share(earlier: HostSample, later: HostSample) -> float:
    """Share of all cores' time that was idle or waited for disks only."""
    idle = whole = 0
    for before, after in zip(earlier.cores, later.cores, strict=False):
        # Some kernels let these counters decrease now and then (proc_stat(5)).
        own = max(0, after.idle_ns - before.idle_ns) + max(0, after.iowait_ns - before.iowait_ns)
        used = after.busy_ns - before.busy_ns + after.steal_ns - before.steal_ns
        idle, whole = idle + own, whole + own + max(0, used)
    return idle / whole if whole else 1.0


class _CoreUse:
    """Cores in use; each value is a mean since the time before.

    Args:
        values: by time, in seconds after t0.
        every_s: interval of the first value.
    """

    def __init__(self, values: Mapping[float, float], every_s: float) -> None:
        self._at_s = np.array([min(values) - every_s, *values]) if values else np.array([])
        spent = np.diff(self._at_s) * np.array([*values.values()])
        self._core_s = np.concatenate(([0.0], np.cumsum(spent)))

    @classmethod
    def by_others(cls, telemetry: Telemetry) -> Self:
        """By the programs that belong to neither system nor harness."""
        return cls(_values(telemetry, _FOREIGN), telemetry.every_s)

    @classmethod
    def outside(cls, telemetry: Telemetry) -> Self:
        """By all but system and harness: also by what telemetry cannot see as a process."""
        system, harness = (_values(telemetry, f"host.{one}_cores") for one in ("system", "harness"))
        busy = _values(telemetry, "host.busy_cores")
        rest = {
            at_s: max(0.0, value - system[at_s] - harness[at_s])
            for at_s, value in busy.items()
            if at_s in system and at_s in harness
        }
        return cls(rest, telemetry.every_s)

    def between(self, start_s: float, end_s: float) -> float | None:
        """The mean between two times; None where most of the time is unknown."""
        if not self._at_s.size:
            return None
        start, end = max(start_s, self._at_s[0]), min(end_s, self._at_s[-1])
        if end - start < _KNOWN_SHARE * (end_s - start_s):
            return None
        core_s = np.interp([start, end], self._at_s, self._core_s)
        return float((core_s[1] - core_s[0]) / (end - start))


def _values(telemetry: Telemetry, name: str) -> dict[float, float]:
    series = telemetry.time_series.get(name)
    return dict(zip(series.at_s, series.values, strict=True)) if series else {}
