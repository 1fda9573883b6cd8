"""Self-monitoring of a run, read from `vitals.jsonl`, `swarm.jsonl` and `observer.jsonl`.

Unreadable lines are counted. Figures that the kernel does not report are None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from harness.analysis.clock_map import ClockSample
from harness.evidence.strict_json import MALFORMED, loads

HOST = "host"
_US = 1_000

_Line = TypeVar("_Line")


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """Running totals of one process; see `harness.process.usage`."""

    state: str
    cpu_ns: int
    wait_ns: int | None
    total_ns: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class CoreSample:
    """Running totals of one core."""

    busy_ns: int
    iowait_ns: int
    idle_ns: int
    steal_ns: int


@dataclass(frozen=True, slots=True)
class HostSample:
    """One line of `vitals.jsonl`.

    Attributes:
        read_ns: time between the readings of both clocks.
        late_ns: how late the sampler itself woke.
        pressure_us: running totals of time in which some task was stalled (PSI), by resource.
        other_runs: other runs of a harness that were under way; None where not counted.
        unseen_runs: of those, the ones in other PID namespaces: telemetry has no figures of them.
    """

    mono_ns: int
    wall_ns: int
    read_ns: int
    late_ns: int
    load_1min: float | None
    cores: tuple[CoreSample, ...]
    pressure_us: Mapping[str, int]
    processes: Mapping[str, ProcessSample]
    other_runs: int | None = None
    unseen_runs: int = 0

    @property
    def probe(self) -> ClockSample:
        """A probe of the host's wall clock, for its map to the monotonic clock."""
        return ClockSample(HOST, self.mono_ns, self.wall_ns // _US, self.read_ns)


@dataclass(frozen=True, slots=True)
class SwarmStatus:
    """One status line of a swarm process.

    Attributes:
        wake_late_max_ns: largest delay of a wake-up since the line before.
        stalled_ns: sum of the delays that count as stalls.
        hand_over_max_ns: longest hand-over of signals to the kernel.
        error: why it ended early; empty otherwise.
    """

    process: int
    mono_ns: int
    wake_late_max_ns: int
    stalled_ns: int
    hand_over_max_ns: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class ObserverStatus:
    """One status line of the observer.

    Attributes:
        lag_bytes: bytes of the server's log that were flushed there and not received here.
        gaps: number of disconnections so far; `in_gap` during one.
    """

    mono_ns: int
    lag_bytes: int
    gaps: int
    in_gap: bool


@dataclass(frozen=True, slots=True)
class SelfMonitoring:
    """All self-monitoring of one run, in order of time.

    Attributes:
        invalid_lines: number of unreadable lines, by file.
    """

    samples: tuple[HostSample, ...] = ()
    swarm: tuple[SwarmStatus, ...] = ()
    observer: tuple[ObserverStatus, ...] = ()
    invalid_lines: Mapping[str, int] = field(default_factory=dict)


def read_self_monitoring(files: Mapping[str, Iterable[str]]) -> SelfMonitoring:
    """Parse the lines of the three files, by name; a missing file counts as empty."""
    bad: dict[str, int] = {}

    def read(name: str, parse: Callable[[dict[str, Any]], _Line]) -> tuple[_Line, ...]:
        lines, unreadable = _read(files.get(name, ()), parse)
        if unreadable:
            bad[name] = unreadable
        return lines

    samples = read("vitals.jsonl", _sample)
    swarm, observer = read("swarm.jsonl", _swarm_status), read("observer.jsonl", _observer_status)
    return SelfMonitoring(
        samples=tuple(sorted(samples, key=lambda sample: sample.mono_ns)),
        swarm=tuple(sorted(swarm, key=lambda status: status.mono_ns)),
        observer=tuple(sorted(observer, key=lambda status: status.mono_ns)),
        invalid_lines=bad,
    )


def _read(
    lines: Iterable[str], parse: Callable[[dict[str, Any]], _Line]
) -> tuple[tuple[_Line, ...], int]:
    parsed, bad = [], 0
    for line in lines:
        try:
            parsed.append(parse(loads(line)))
        except MALFORMED:
            bad += 1
    return tuple(parsed), bad


def _sample(entry: dict[str, Any]) -> HostSample:
    load, others = entry["load_1min"], entry.get("other_runs")
    return HostSample(
        mono_ns=int(entry["mono_ns"]),
        wall_ns=int(entry["wall_ns"]),
        read_ns=int(entry["read_ns"]),
        late_ns=int(entry["late_ns"]),
        load_1min=None if load is None else float(load),
        cores=tuple(
            CoreSample(**{name: int(value) for name, value in core.items()})
            for core in entry["cores"]
        ),
        pressure_us={str(name): int(value) for name, value in entry["pressure_us"].items()},
        processes={str(name): _process(value) for name, value in entry["processes"].items()},
        other_runs=None if others is None else int(others),
        unseen_runs=int(entry.get("unseen_runs", 0)),
    )


def _process(entry: dict[str, Any]) -> ProcessSample:
    wait = entry["wait_ns"]
    return ProcessSample(
        state=str(entry["state"]),
        cpu_ns=int(entry["cpu_ns"]),
        wait_ns=None if wait is None else int(wait),
        total_ns=int(entry["total_ns"]),
        rss_bytes=int(entry["rss_bytes"]),
    )


def _swarm_status(entry: dict[str, Any]) -> SwarmStatus:
    if "error" in entry and "mono_ns" not in entry:
        # The last line of a process that never sent; run.json has its exit.
        return SwarmStatus(int(entry.get("process", 0)), 0, 0, 0, 0, str(entry["error"]))
    return SwarmStatus(
        process=int(entry["process"]),
        mono_ns=int(entry["mono_ns"]),
        wake_late_max_ns=int(entry["wake_late_max_ns"]),
        stalled_ns=int(entry["stalled_ns"]),
        hand_over_max_ns=int(entry["stall_max_ns"]),
        error=str(entry.get("error") or ""),
    )


def _observer_status(entry: dict[str, Any]) -> ObserverStatus:
    if entry["kind"] == "ready":
        return ObserverStatus(0, 0, 0, False)
    return ObserverStatus(
        mono_ns=int(entry["mono_ns"]),
        lag_bytes=int(entry["behind_bytes"]),
        gaps=int(entry["gaps"]),
        in_gap=bool(entry["in_gap"]),
    )
