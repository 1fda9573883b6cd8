"""Whether somebody else on the host made signals slow: programs of others, or other guests.

Telemetry tells, each second, what system, harness and everybody else took of the cores, and whose
tasks waited for storage. A second is disturbed where others took a resource that was short. The
signals intended in it, or before the system had caught up with it, are left out; what is left
decides whether a missed promise stands. So this can only excuse a latency, never accuse one, and a
system that is slow in undisturbed seconds too has no excuse. Without telemetry nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.clock import NS_PER_S
from harness.judge.check import Case
from harness.judge.limits import (
    FOREIGN_BLOCKED_MIN,
    FOREIGN_BLOCKED_SHARE,
    FOREIGN_CORES_SHARE,
    IDLE_CORES_SHARE,
    PRESSURE_IO_SHARE,
    RUNNABLE_CORES_MIN,
    STEAL_SHARE_MAX,
    STORAGE_LOOKS,
    SYSTEM_BLOCKED_MIN,
)
from harness.judge.words import share
from harness.measure.faults import AFTERMATH_NS, Window
from harness.measure.outside import outside_cell, spans_ms
from harness.measure.recorder import Cell, Metric
from harness.measure.series import PLACES, Series, place_high_ns
from harness.measure.statistics import effective_size, interval, size_needed
from harness.measure.telemetry import Telemetry
from harness.measure.windows import Grid, take_census
from harness.scenario import Objective, Phase

Floats = NDArray[np.float64]
CORES, STORAGE, STEAL = "cores", "storage", "steal"
_NAMES_SHOWN = 3
_WAIT = ".cpu_wait_cores"


@dataclass(frozen=True, slots=True)
class Disturbed:
    """What others took of one resource.

    Attributes:
        resource: CORES, STORAGE or STEAL.
        spans_s: when, in seconds after t0; one for each look.
        said: a sentence with figures, means over these looks.
    """

    resource: str
    spans_s: tuple[tuple[float, float], ...]
    said: str


def disturbed(
    telemetry: Telemetry, spans_s: Sequence[tuple[float, float]]
) -> tuple[Disturbed, ...]:
    """What others took in some stretches of time, the longest disturbance first.

    Args:
        telemetry: of the run.
        spans_s: the stretches, in seconds after t0.

    Returns:
        One for each resource that was disturbed; none where nobody can tell.
    """
    times = telemetry.tracks.get("host.busy_cores")
    if times is None:
        return ()
    looks = _Looks(telemetry, times.at_s)
    found = [
        Disturbed(resource, tuple(looks.span(n) for n in at), said(looks, at))
        for resource, is_short, said in (
            (CORES, _cores_short, _cores_said),
            (STORAGE, _storage_short, _storage_said),
            (STEAL, _stolen, _steal_said),
        )
        if len(at := looks.within(np.flatnonzero(is_short(looks)), spans_s))
    ]
    return tuple(sorted(found, key=lambda one: -len(one.spans_s)))


def host_disturbed(case: Case) -> tuple[Disturbed, ...]:
    """What others took in the measured phase; a planned fault's windows are the run's own doing."""
    bounds = case.gathered.timeline.bounds_ns(Phase.MEASURE)
    if bounds is None:
        return ()
    t0_ns = case.gathered.timeline.t0_ns
    found = disturbed(case.telemetry(), [_seconds(bounds, t0_ns)])
    faults = [_seconds((one.start_ns, one.end_ns), t0_ns) for one in case.gathered.fault_windows]
    apart = (
        Disturbed(one.resource, tuple(s for s in one.spans_s if not _meets(s, faults)), one.said)
        for one in found
    )
    return tuple(one for one in apart if one.spans_s)


def host_was_disturbed(case: Case, objective: Objective, cell: Cell) -> str | None:
    """Why a missed promise of a duration is not the system's alone; None where it stands.

    Args:
        case: the run.
        objective: that is missed.
        cell: its signals.
    """
    found = host_disturbed(case)
    metric = Metric(objective.metric)
    if metric not in (Metric.LATENCY, Metric.SERVICE) or objective.outside_faults or not found:
        return None
    t0_ns = case.gathered.timeline.t0_ns
    spans = [span for one in found for span in one.spans_s]
    windows = _windows(spans, cell.series[metric], t0_ns)
    if not _could_be_met(case, objective, cell, windows):
        return None
    return f"{host_words(found)}; {_REASON}"


_REASON = "without the signals of those seconds it could be met: not the system's alone"


def rejections_were_disturbed(case: Case, limit: float) -> str | None:
    """Why too many rejections are not the system's alone; None where they are.

    Args:
        case: the run.
        limit: what their share must stay below, 0..1.
    """
    found = host_disturbed(case)
    if not found:
        return None
    t0_ns = case.gathered.timeline.t0_ns
    spans = [span for one in found for span in one.spans_s]
    signals = rejected = 0
    for key, cell in case.gathered.cells.items():
        if key.phase is not Phase.MEASURE or Metric.LATENCY not in cell.series:
            continue
        rest = outside_cell(cell, _windows(spans, cell.series[Metric.LATENCY], t0_ns), t0_ns)
        signals += len(rest.series[Metric.LATENCY])
        rejected += len(rest.rejected.get(Metric.LATENCY, ()))
    if signals and rejected >= limit * signals:
        return None
    return f"{host_words(found)}; {_REASON}"


def host_words(found: Sequence[Disturbed]) -> str:
    """All disturbances in a sentence."""
    return "; ".join(f"{one.said}, in {len(one.spans_s)} looks" for one in found)


def _could_be_met(case: Case, objective: Objective, cell: Cell, windows: Sequence[Window]) -> bool:
    """Whether what is left does not break the promise beyond doubt."""
    metric, limit_ns = Metric(objective.metric), objective.limit_ns or 0
    percentile, t0_ns = objective.percentile or 50.0, case.gathered.timeline.t0_ns
    if objective.window_ns is not None:
        grid = Grid.of(case.plan.load.measured_stretches_ns(), objective.window_ns)
        calm = _calm(cell.judged_series(metric), spans_ms(windows, t0_ns))
        return not len(calm) or not take_census(calm, grid, percentile, limit_ns).at_limit
    rest = outside_cell(cell, windows, t0_ns)
    histogram = rest.judged(metric)
    if percentile == 100.0:
        return histogram.max_ns < limit_ns
    if histogram.count < size_needed(percentile):
        return True
    effective = effective_size(rest.judged_series(metric), percentile)
    bound = interval(histogram, percentile, effective, confidence=case.confidence)
    return bound is None or bound.lower_ns is None or bound.lower_ns < limit_ns


def _windows(spans_s: Sequence[tuple[float, float]], series: Series, t0_ns: int) -> list[Window]:
    """The disturbed seconds, each until those signals were through that were intended in it.

    At most AFTERMATH_NS longer, as after a fault: a system that is behind for longer is slow.
    """
    plain = [
        Window(t0_ns + round(start * NS_PER_S), t0_ns + round(end * NS_PER_S))
        for start, end in sorted(spans_s)
    ]
    longest = [
        max((_slowest_ns(block, span) for block in series.blocks()), default=0)
        for span in (spans_ms([one], t0_ns)[0] for one in plain)
    ]
    return [
        Window(one.start_ns, one.end_ns + min(AFTERMATH_NS, later_ns))
        for one, later_ns in zip(plain, longest, strict=True)
    ]


def _slowest_ns(
    block: tuple[NDArray[np.uint32], NDArray[np.uint16]], span_ms: tuple[int, int]
) -> int:
    when, what = block
    own = what[(when >= span_ms[0]) & (when <= span_ms[1])]
    return place_high_ns(min(int(own.max()), PLACES - 2)) if len(own) else 0


def _calm(series: Series, spans: Sequence[tuple[int, int]]) -> Series:
    """Without the signals intended in some spans; time goes on in them."""

    def blocks() -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint16]]]:
        for when, what in series.blocks():
            calm = np.ones(len(when), dtype=np.bool_)
            for first_ms, last_ms in spans:
                calm &= (when < first_ms) | (when > last_ms)
            if calm.any():
                yield when[calm], what[calm]

    return Series.of_blocks(blocks())


class _Looks:
    """Tracks of the kernel's figures, as columns over the same looks; NaN where one has none."""

    def __init__(self, telemetry: Telemetry, at_s: Sequence[float]) -> None:
        self._telemetry = telemetry
        self.at_s = np.array(at_s)
        self.cores = telemetry.tracks["host.busy_cores"].limit or 1.0

    def of(self, name: str) -> Floats:
        track = self._telemetry.tracks.get(name)
        told = dict(zip(track.at_s, track.values, strict=True)) if track else {}
        return np.array([told.get(at, np.nan) for at in self.at_s.tolist()])

    def span(self, number: int) -> tuple[float, float]:
        end_s = float(self.at_s[number])
        longest = 2 * self._telemetry.every_s
        before = float(self.at_s[number - 1]) if number else end_s - self._telemetry.every_s
        return max(before, end_s - longest), end_s

    def within(
        self, numbers: NDArray[np.intp], spans_s: Sequence[tuple[float, float]]
    ) -> list[int]:
        return [n for n in numbers.tolist() if _meets(self.span(n), spans_s)]

    def smooth(self, name: str) -> Floats:
        """The mean over STORAGE_LOOKS looks around each."""
        values, window = self.of(name), np.ones(STORAGE_LOOKS)
        known = np.isfinite(values)
        number = np.convolve(known.astype(np.float64), window, "same")
        total = np.convolve(np.where(known, values, 0.0), window, "same")
        return np.where(number > 0, total, np.nan) / np.maximum(number, 1)

    def runnable(self) -> Floats:
        """Cores that the busiest service computed on or waited for; NaN where nobody tells."""
        waits = [one.name for one in self._telemetry.of("service.") if one.name.endswith(_WAIT)]
        found = [self.of(name) + self.of(name.replace(_WAIT, ".cpu_cores")) for name in waits]
        return np.fmax.reduce(found) if found else np.full(len(self.at_s), np.nan)

    def who(self, figure: str, numbers: Sequence[int]) -> str:
        """The foreign programs that did most of it."""
        found = {
            track.name.removeprefix("foreign.").removesuffix(figure): float(
                np.nansum(self.smooth(track.name)[numbers])
            )
            for track in self._telemetry.of("foreign.")
            if track.name.endswith(figure)
        }
        names = sorted((name for name in found if found[name] > 0), key=lambda name: -found[name])
        return f" ({', '.join(names[:_NAMES_SHOWN])})" if names else ""


def _cores_short(looks: _Looks) -> NDArray[np.bool_]:
    idle = looks.of("host.idle_cores") + looks.of("host.iowait_cores")
    foreign = looks.of("host.foreign_cores")
    taken = foreign >= FOREIGN_CORES_SHARE * looks.cores
    # Where the kernel does not tell how long tasks wait for a core, that they did is not excluded.
    queued = ~(looks.runnable() < RUNNABLE_CORES_MIN)
    return np.asarray(taken & (idle <= IDLE_CORES_SHARE * looks.cores) & queued)


def _cores_said(looks: _Looks, at: Sequence[int]) -> str:
    foreign, system = (
        np.nanmean(looks.of(f"host.{one}_cores")[at]) for one in ("foreign", "system")
    )
    return (
        f"other programs{looks.who('.cpu_cores', at)} used {foreign:.2f} of the host's"
        f" {looks.cores:g} cores and none was idle, the system {system:.2f}"
    )


def _storage_short(looks: _Looks) -> NDArray[np.bool_]:
    foreign, system, harness = (
        looks.smooth(f"host.{side}_blocked_count") for side in ("foreign", "system", "harness")
    )
    others = foreign >= FOREIGN_BLOCKED_SHARE * (foreign + system + harness)
    waits = (foreign >= FOREIGN_BLOCKED_MIN) & (system >= SYSTEM_BLOCKED_MIN)
    pressed = looks.smooth("host.pressure_io_share") >= PRESSURE_IO_SHARE
    return np.asarray(others & waits & pressed)


def _storage_said(looks: _Looks, at: Sequence[int]) -> str:
    foreign, system = (
        np.nanmean(looks.smooth(f"host.{side}_blocked_count")[at]) for side in ("foreign", "system")
    )
    pressure = float(np.nanmean(looks.smooth("host.pressure_io_share")[at]))
    return (
        f"other programs{looks.who('.blocked_count', at)} kept the host's storage busy:"
        f" {foreign:.1f} of their tasks waited for it and {system:.1f} of the system's,"
        f" tasks stood still for {share(pressure)} of the time (PSI io)"
    )


def _stolen(looks: _Looks) -> NDArray[np.bool_]:
    return np.asarray(looks.of("host.steal_cores") >= STEAL_SHARE_MAX * looks.cores)


def _steal_said(looks: _Looks, at: Sequence[int]) -> str:
    stolen = float(np.nanmean(looks.of("host.steal_cores")[at]))
    return f"the hypervisor took {stolen:.2f} of the host's {looks.cores:g} cores (steal)"


def _seconds(bounds_ns: tuple[int, int], t0_ns: int) -> tuple[float, float]:
    return (bounds_ns[0] - t0_ns) / NS_PER_S, (bounds_ns[1] - t0_ns) / NS_PER_S


def _meets(span: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)
