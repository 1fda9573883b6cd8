"""CPU, waiting, memory and stall figures of the harness and the host over a time interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from harness.analysis.resources.self_monitoring import (
    CoreSample,
    HostSample,
    ObserverStatus,
    ProcessSample,
    SelfMonitoring,
)
from harness.clock import NS_PER_US

# A share of a shorter time is unreliable: one clock tick would seem a jump.
_SECOND_MIN_NS = 200_000_000
_STOPPED = frozenset("Tt")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProcessFigures(_Value):
    """One of the harness's own processes.

    Attributes:
        cpu_share: of one core, used by its working thread.
        wait_share: share of the time in which that thread was runnable without a core.
        wait_share_max: the same in its worst second.
        rss_max_bytes: maximum resident memory.
        looks: number of samples; in `stopped` of them it was stopped (SIGSTOP, a debugger).
    """

    name: str
    cpu_share: float
    wait_share: float | None
    wait_share_max: float | None
    rss_max_bytes: int
    looks: int
    stopped: int


class SwarmFigures(_Value):
    """The stall detector of one swarm process.

    Attributes:
        lines: number of status lines.
        stalled_share: share of the time in which it should have been awake and was not.
        wake_late_max_ns: longest of these stalls.
        hand_over_max_ns: longest time in which the kernel accepted signals.
    """

    process: int
    words: int
    stalled_share: float
    wake_late_max_ns: int
    hand_over_max_ns: int


class ObserverFigures(_Value):
    """The observer by its status lines.

    Attributes:
        lines: number of status lines.
        silent_max_ns: longest time between two of them, disconnections not included.
        behind_max_bytes: largest lag behind the server's log.
    """

    words: int
    silent_max_ns: int
    behind_max_bytes: int


class HostFigures(_Value):
    """The host; shares are of all cores together.

    Attributes:
        core_busy_max: the busiest core.
        harness_share: used by the harness's own processes.
        pressure: share of the time in which some task of the host was stalled, by resource.
        late_max_ns: largest delay of the sampler's own wake-ups.
    """

    cores: int
    busy_share: float
    core_busy_max: float
    harness_share: float
    iowait_share: float
    steal_share: float
    steal_share_max: float
    pressure: dict[str, float]
    load_max: float | None
    late_max_ns: int


class SelfMonitoringFigures(_Value):
    """All figures over one time interval.

    Attributes:
        gap_max_ns: longest time without a sample.
    """

    duration_ns: int
    samples: int
    gap_max_ns: int
    host: HostFigures
    processes: tuple[ProcessFigures, ...]
    swarm: tuple[SwarmFigures, ...]
    observer: ObserverFigures

    def process(self, name: str) -> ProcessFigures | None:
        """A process by its name."""
        return next((one for one in self.processes if one.name == name), None)


def self_monitoring_figures(
    monitoring: SelfMonitoring, start_ns: int, end_ns: int
) -> SelfMonitoringFigures | None:
    """The figures between two monotonic times; None below two samples.

    The interval is extended to the nearest samples outside of it, if there are any.
    """
    samples = _around(monitoring.samples, start_ns, end_ns)
    if len(samples) < 2:
        return None
    inner = [start_ns, *(s.mono_ns for s in samples if start_ns < s.mono_ns < end_ns), end_ns]
    names = sorted({name for sample in samples for name in sample.processes})
    return SelfMonitoringFigures(
        duration_ns=samples[-1].mono_ns - samples[0].mono_ns,
        samples=len(samples),
        gap_max_ns=max(later - earlier for earlier, later in pairwise(inner)),
        host=_host(samples),
        processes=tuple(_process(name, samples) for name in names),
        swarm=tuple(_swarm(monitoring, start_ns, end_ns)),
        observer=_observer(monitoring.observer, start_ns, end_ns),
    )


def _around(samples: Sequence[HostSample], start_ns: int, end_ns: int) -> Sequence[HostSample]:
    first = max((n for n, one in enumerate(samples) if one.mono_ns <= start_ns), default=0)
    last = next((n for n, one in enumerate(samples) if one.mono_ns >= end_ns), len(samples) - 1)
    return samples[first : last + 1]


def _host(samples: Sequence[HostSample]) -> HostFigures:
    first, last = samples[0], samples[-1]
    span_ns = last.mono_ns - first.mono_ns
    cores = [_difference(a, b) for a, b in zip(first.cores, last.cores, strict=False)]
    busy = [core.busy_ns / _total_ns(core) for core in cores]
    whole_ns = sum(map(_total_ns, cores)) or 1
    own_ns = sum(
        _totals(name, samples)[1] for name in {name for one in samples for name in one.processes}
    )
    loads = [one.load_1min for one in samples if one.load_1min is not None]
    return HostFigures(
        cores=len(cores),
        busy_share=sum(core.busy_ns for core in cores) / whole_ns,
        core_busy_max=max(busy, default=0.0),
        harness_share=own_ns / (span_ns * max(1, len(cores))),
        iowait_share=sum(core.iowait_ns for core in cores) / whole_ns,
        steal_share=sum(core.steal_ns for core in cores) / whole_ns,
        steal_share_max=max(map(_steal_share, _seconds(samples)), default=0.0),
        pressure={
            name: (last.pressure_us[name] - value) * NS_PER_US / span_ns
            for name, value in first.pressure_us.items()
            if name in last.pressure_us
        },
        load_max=max(loads, default=None),
        late_max_ns=max(one.late_ns for one in samples),
    )


def _seconds(samples: Sequence[HostSample]) -> list[tuple[HostSample, HostSample]]:
    return [
        (earlier, later)
        for earlier, later in pairwise(samples)
        if later.mono_ns - earlier.mono_ns >= _SECOND_MIN_NS
    ]


def _steal_share(pair: tuple[HostSample, HostSample]) -> float:
    cores = [_difference(a, b) for a, b in zip(pair[0].cores, pair[1].cores, strict=False)]
    return sum(core.steal_ns for core in cores) / (sum(map(_total_ns, cores)) or 1)


def _difference(first: CoreSample, last: CoreSample) -> CoreSample:
    return CoreSample(
        last.busy_ns - first.busy_ns,
        # Some kernels let this counter decrease now and then (proc_stat(5)).
        max(0, last.iowait_ns - first.iowait_ns),
        max(0, last.idle_ns - first.idle_ns),
        last.steal_ns - first.steal_ns,
    )


def _total_ns(core: CoreSample) -> int:
    return max(1, core.busy_ns + core.iowait_ns + core.idle_ns + core.steal_ns)


def _of(name: str, samples: Iterable[HostSample]) -> list[tuple[int, ProcessSample]]:
    return [(one.mono_ns, one.processes[name]) for one in samples if name in one.processes]


def _totals(name: str, samples: Sequence[HostSample]) -> tuple[int, int]:
    """Time between the first and the last sample of a process, and its CPU time in between."""
    selected = _of(name, samples)
    return selected[-1][0] - selected[0][0], selected[-1][1].total_ns - selected[0][1].total_ns


def _process(name: str, samples: Sequence[HostSample]) -> ProcessFigures:
    selected = _of(name, samples)
    (start_ns, first), (end_ns, last) = selected[0], selected[-1]
    span_ns = max(1, end_ns - start_ns)
    waits = [
        (after.wait_ns - before.wait_ns) / (after_ns - before_ns)
        for (before_ns, before), (after_ns, after) in pairwise(selected)
        if before.wait_ns is not None
        and after.wait_ns is not None
        and after_ns - before_ns >= _SECOND_MIN_NS
    ]
    known = first.wait_ns is not None and last.wait_ns is not None
    return ProcessFigures(
        name=name,
        cpu_share=(last.cpu_ns - first.cpu_ns) / span_ns,
        wait_share=((last.wait_ns or 0) - (first.wait_ns or 0)) / span_ns if known else None,
        wait_share_max=max(waits, default=None),
        rss_max_bytes=max(one.rss_bytes for _, one in selected),
        looks=len(selected),
        stopped=sum(one.state in _STOPPED for _, one in selected),
    )


def _swarm(monitoring: SelfMonitoring, start_ns: int, end_ns: int) -> Iterable[SwarmFigures]:
    for process in sorted({status.process for status in monitoring.swarm}):
        # A line covers the time since the line before.
        selected = [
            w for w in monitoring.swarm if w.process == process and start_ns < w.mono_ns <= end_ns
        ]
        if selected:
            yield SwarmFigures(
                process=process,
                words=len(selected),
                stalled_share=sum(status.stalled_ns for status in selected) / (end_ns - start_ns),
                wake_late_max_ns=max(status.wake_late_max_ns for status in selected),
                hand_over_max_ns=max(status.hand_over_max_ns for status in selected),
            )


def _observer(lines: Sequence[ObserverStatus], start_ns: int, end_ns: int) -> ObserverFigures:
    first = max((n for n, one in enumerate(lines) if one.mono_ns <= start_ns), default=0)
    last = next((n for n, one in enumerate(lines) if one.mono_ns >= end_ns), len(lines) - 1)
    selected = lines[first : last + 1]
    silences = [
        later.mono_ns - earlier.mono_ns
        for earlier, later in pairwise(selected)
        # While it reconnects it sends no status lines; gaps are judged separately.
        if earlier.gaps == later.gaps and not earlier.in_gap
    ]
    return ObserverFigures(
        words=len(selected),
        silent_max_ns=max(silences, default=0),
        behind_max_bytes=max((status.lag_bytes for status in selected), default=0),
    )
