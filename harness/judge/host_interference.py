"""Whether other programs, or other guests of the host, made signals slow.

Telemetry samples, each second, the cores that system, harness and others use, and whose tasks wait
for storage. A second is affected where others use a resource that is short, or where other runs of
a harness are under way and no core is idle (`harness.judge.host_runs`). The
signals intended in it, or before the system had caught up with it, are left out; what is left
decides whether the objective is missed. So this can only excuse a latency, never accuse one, and a
system that is slow in undisturbed seconds too has no excuse. Without telemetry nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.analysis.resources.telemetry import Telemetry
from harness.clock import NS_PER_S
from harness.formatting import format_count, format_share
from harness.judge.check import CheckContext
from harness.judge.host_runs import StarvedInterval, starved_intervals
from harness.judge.limits import (
    FOREIGN_BLOCKED_MIN,
    FOREIGN_BLOCKED_SHARE,
    FOREIGN_CORES_SHARE,
    IDLE_CORES_SHARE,
    PRESSURE_IO_SHARE,
    RUNNABLE_CORES_MIN,
    STEAL_SHARE_MAX,
    STORAGE_SAMPLES,
    SYSTEM_BLOCKED_MIN,
    SYSTEM_SAMPLES,
)
from harness.scenario import Phase

Floats = NDArray[np.float64]
CORES, STORAGE, STEAL, RUNS = "cores", "storage", "steal", "other_runs"
_NAMES_SHOWN = 3
# A mean of counts is not exact.
_NEARLY = 1 - 1e-9
_WAIT = ".cpu_wait_cores"
_CORES_OF, _STORAGE_OF = ".cpu_cores", ".blocked_count"


@dataclass(frozen=True, slots=True)
class Interference:
    """Interference with one resource.

    Attributes:
        resource: CORES, STORAGE, STEAL, or RUNS for the cores that other runs of a harness used.
        spans_s: when, in seconds after t0; one for each sample.
        message: a sentence with figures, means over these samples.
        names: the foreign programs that used the most of it.
    """

    resource: str
    spans_s: tuple[tuple[float, float], ...]
    message: str
    names: tuple[str, ...] = ()


def find_interference(
    telemetry: Telemetry, spans_s: Sequence[tuple[float, float]]
) -> tuple[Interference, ...]:
    """Interference in some intervals, the longest first.

    Args:
        telemetry: of the run.
        spans_s: the intervals, in seconds after t0.

    Returns:
        One for each affected resource; none without telemetry.
    """
    times = telemetry.time_series.get("host.busy_cores")
    if times is None:
        return ()
    samples = _HostSamples(telemetry, times.at_s)
    found = [
        Interference(
            resource, tuple(samples.span(n) for n in at), message(samples, at), samples.who(own, at)
        )
        for resource, is_short, message, own in (
            (CORES, _cores_short, _cores_message, _CORES_OF),
            (STORAGE, _storage_short, _storage_message, _STORAGE_OF),
            (STEAL, _stolen, _steal_message, None),
        )
        if len(at := samples.within(np.flatnonzero(is_short(samples)), spans_s))
    ]
    return tuple(sorted(found, key=lambda one: -len(one.spans_s)))


def host_interference(case: CheckContext) -> tuple[Interference, ...]:
    """Interference in the measured phase, outside the windows of planned faults."""
    bounds = case.analysis.timeline.bounds_ns(Phase.MEASURE)
    if bounds is None:
        return ()
    t0_ns = case.analysis.timeline.t0_ns
    measured = [_seconds(bounds, t0_ns)]
    found = (*find_interference(case.telemetry(), measured), *_by_runs(case, measured))
    return _apart_from_faults(case, found)


def starved_by_runs(case: CheckContext, *, last_ns: int = 0, until_ns: int = 0) -> str:
    """That other runs of a harness left no idle core; empty where nothing shows it.

    Args:
        case: the run.
        last_ns: so much of the end of the measured phase; all of it by default.
        until_ns: until when; by default until the end of the measured phase.
    """
    bounds = case.analysis.timeline.bounds_ns(Phase.MEASURE)
    if bounds is None:
        return ""
    start_ns = max(bounds[0], bounds[1] - last_ns) if last_ns else bounds[0]
    span = _seconds((start_ns, max(bounds[1], until_ns)), case.analysis.timeline.t0_ns)
    return format_interference(_apart_from_faults(case, _by_runs(case, [span])))


def _apart_from_faults(
    case: CheckContext, found: Iterable[Interference]
) -> tuple[Interference, ...]:
    """Without the samples in the windows of planned faults, the longest first."""
    t0_ns = case.analysis.timeline.t0_ns
    faults = [_seconds((one.start_ns, one.end_ns), t0_ns) for one in case.analysis.faults.windows]
    apart = (
        replace(one, spans_s=tuple(s for s in one.spans_s if not _meets(s, faults)))
        for one in found
    )
    return tuple(sorted((one for one in apart if one.spans_s), key=lambda one: -len(one.spans_s)))


def _by_runs(case: CheckContext, spans_s: Sequence[tuple[float, float]]) -> Iterator[Interference]:
    """Interference by other runs of a harness in some intervals."""
    found = [one for one in starved_intervals(case) if _meets(one.span_s, spans_s)]
    if found:
        yield Interference(RUNS, tuple(one.span_s for one in found), _runs_message(found))


def _runs_message(found: Sequence[StarvedInterval]) -> str:
    runs = max(one.runs for one in found)
    used = [one.foreign_cores for one in found if one.foreign_cores is not None]
    others = f", other programs used {np.mean(used):.2f} of them" if used else ""
    return (
        f"{format_count(runs, 'other run')} of a harness under way on this host, and none of its"
        f" {format_count(found[0].cores, 'core')} was idle{others}"
    )


def format_interference(found: Sequence[Interference]) -> str:
    """All interference in a sentence."""
    return "; ".join(
        f"{one.message}, in {format_count(len(one.spans_s), 'sample')}" for one in found
    )


class _HostSamples:
    """Series of the kernel's figures as columns over the same samples; NaN where one has none."""

    def __init__(self, telemetry: Telemetry, at_s: Sequence[float]) -> None:
        self._telemetry = telemetry
        self.at_s = np.array(at_s)
        self.cores = telemetry.time_series["host.busy_cores"].limit or 1.0

    def of(self, name: str) -> Floats:
        track = self._telemetry.time_series.get(name)
        values = dict(zip(track.at_s, track.values, strict=True)) if track else {}
        return np.array([values.get(at, np.nan) for at in self.at_s.tolist()])

    def span(self, number: int) -> tuple[float, float]:
        end_s = float(self.at_s[number])
        longest = 2 * self._telemetry.every_s
        before = float(self.at_s[number - 1]) if number else end_s - self._telemetry.every_s
        return max(before, end_s - longest), end_s

    def within(
        self, numbers: NDArray[np.intp], spans_s: Sequence[tuple[float, float]]
    ) -> list[int]:
        return [n for n in numbers.tolist() if _meets(self.span(n), spans_s)]

    def smooth(self, name: str, samples: int = STORAGE_SAMPLES) -> Floats:
        """The mean over so many samples around each, however few samples the run has."""
        values = self.of(name)
        known = np.isfinite(values)
        number = _moving_sum(known.astype(np.float64), samples)
        total = _moving_sum(np.where(known, values, 0.0), samples)
        return np.where(number > 0, total, np.nan) / np.maximum(number, 1)

    def runnable(self) -> Floats:
        """Cores that the busiest service computed on or waited for; NaN where unknown."""
        waits = [one.name for one in self._telemetry.of("service.") if one.name.endswith(_WAIT)]
        found = [self.of(name) + self.of(name.replace(_WAIT, ".cpu_cores")) for name in waits]
        return np.fmax.reduce(found) if found else np.full(len(self.at_s), np.nan)

    def who(self, figure: str | None, numbers: Sequence[int]) -> tuple[str, ...]:
        """The foreign programs that did most of it; none of what no program did."""
        if figure is None:
            return ()
        found = {
            track.name.removeprefix("foreign.").removesuffix(figure): float(
                np.nansum(self.smooth(track.name)[numbers])
            )
            for track in self._telemetry.of("foreign.")
            if track.name.endswith(figure)
        }
        names = sorted((name for name in found if found[name] > 0), key=lambda name: -found[name])
        return tuple(names[:_NAMES_SHOWN])

    def named(self, figure: str, numbers: Sequence[int]) -> str:
        names = self.who(figure, numbers)
        return f" ({', '.join(names)})" if names else ""


def _moving_sum(values: Floats, window: int) -> Floats:
    """The sum over the `window` values around each; same length as `values`.

    `numpy.convolve(.., "same")` has the length of the longer of both: not that of a short run.
    """
    if not values.size:
        return values
    first = (window - 1) // 2
    return np.convolve(values, np.ones(window))[first : first + values.size]


def _cores_short(samples: _HostSamples) -> NDArray[np.bool_]:
    idle = samples.of("host.idle_cores") + samples.of("host.iowait_cores")
    foreign = samples.of("host.foreign_cores")
    occupied = foreign >= FOREIGN_CORES_SHARE * samples.cores
    # Where the kernel does not report how long tasks wait for a core, they may have waited.
    queued = ~(samples.runnable() < RUNNABLE_CORES_MIN)
    return np.asarray(occupied & (idle <= IDLE_CORES_SHARE * samples.cores) & queued)


def _cores_message(samples: _HostSamples, at: Sequence[int]) -> str:
    foreign, system = (
        np.nanmean(samples.of(f"host.{one}_cores")[at]) for one in ("foreign", "system")
    )
    return (
        f"other programs{samples.named(_CORES_OF, at)} used {foreign:.2f} of the host's"
        f" {samples.cores:g} cores and none was idle, the system {system:.2f}"
    )


def _storage_short(samples: _HostSamples) -> NDArray[np.bool_]:
    foreign, system, harness = (
        samples.smooth(f"host.{side}_blocked_count") for side in ("foreign", "system", "harness")
    )
    others = foreign >= FOREIGN_BLOCKED_SHARE * (foreign + system + harness)
    felt = (
        samples.smooth("host.system_blocked_count", SYSTEM_SAMPLES) >= SYSTEM_BLOCKED_MIN * _NEARLY
    )
    waits = (foreign >= FOREIGN_BLOCKED_MIN) & felt
    pressed = samples.smooth("host.pressure_io_share") >= PRESSURE_IO_SHARE
    return np.asarray(others & waits & pressed)


def _storage_message(samples: _HostSamples, at: Sequence[int]) -> str:
    foreign, system = (
        np.nanmean(samples.smooth(f"host.{side}_blocked_count")[at])
        for side in ("foreign", "system")
    )
    pressure = float(np.nanmean(samples.smooth("host.pressure_io_share")[at]))
    return (
        f"other programs{samples.named(_STORAGE_OF, at)} kept the host's storage busy:"
        f" {foreign:.1f} of their tasks waited for it and {system:.1f} of the system's,"
        f" tasks were stalled for {format_share(pressure)} of the time (PSI io)"
    )


def _stolen(samples: _HostSamples) -> NDArray[np.bool_]:
    return np.asarray(samples.of("host.steal_cores") >= STEAL_SHARE_MAX * samples.cores)


def _steal_message(samples: _HostSamples, at: Sequence[int]) -> str:
    stolen = float(np.nanmean(samples.of("host.steal_cores")[at]))
    return f"the hypervisor used {stolen:.2f} of the host's {samples.cores:g} cores (steal)"


def _seconds(bounds_ns: tuple[int, int], t0_ns: int) -> tuple[float, float]:
    return (bounds_ns[0] - t0_ns) / NS_PER_S, (bounds_ns[1] - t0_ns) / NS_PER_S


def _meets(span: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)
