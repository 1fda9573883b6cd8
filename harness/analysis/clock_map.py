"""From a server's clock to the host's monotonic one.

A probe asks the server for its time s and knows the monotonic times a and b around the question.
The server read its clock in between, so the offset m - s with m = (a + b) / 2 is off by (b - a) / 2
at most. Of each interval of 10 s the probe with the least round trip is kept. Between kept probes
the offset is interpolated linearly; outside of them it is constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.clock import NS_PER_S, NS_PER_US
from harness.evidence.strict_json import MALFORMED, loads

# NTP slews a clock by 500 ppm at most; a larger change is a step.
DRIFT_MAX_PPM = 500.0
INTERVAL_NS = 10 * NS_PER_S
# 146 years; differences of two such moments fit into 64 bits.
TIMESTAMP_MAX_NS = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class ClockSample:
    """One probe of a server's clock; see the module's text."""

    server: str
    mono_ns: int
    server_us: int
    rtt_ns: int

    @property
    def offset_ns(self) -> int:
        """Monotonic minus server time."""
        return self.mono_ns - self.server_us * NS_PER_US

    @property
    def error_ns(self) -> int:
        """Largest error of the offset: half the round trip, and the microsecond cut off."""
        return (self.rtt_ns + 1) // 2 + NS_PER_US


@dataclass(frozen=True, slots=True)
class ClockSummary:
    """Offset, error, drift and steps of a server's clock.

    Attributes:
        probes: number of probes, of which `kept` are in the map.
        offset_ns: monotonic minus server time at the probe with the least round trip.
        error_ns: largest error of the map at a kept probe.
        drift_ppm: from the first kept probe to the last; None below two. It is off by
            `drift_error_ppm` at most.
        steps: successive probes whose offsets differ by more than error and drift explain.
        step_max_ns: the largest of those differences.
    """

    server: str
    probes: int
    kept: int
    offset_ns: int
    error_ns: int
    drift_ppm: float | None
    drift_error_ppm: float | None
    steps: int
    step_max_ns: int


class ClockMap:
    """Maps one server's timestamps to the host's monotonic clock, from at least one probe.

    Attributes:
        facts: offset, error, drift and steps.
        probed_ns: monotonic times of the probes.

    Raises:
        ValueError: no probe.
    """

    def __init__(self, probes: Sequence[ClockSample]) -> None:
        if not probes:
            raise ValueError("a clock map needs a probe")
        kept = _best_of_each_interval(probes)
        self._server_us = np.array([probe.server_us for probe in kept], dtype=np.int64)
        self._offset_ns = np.array([probe.offset_ns for probe in kept], dtype=np.int64)
        # Interpolation uses doubles, which are exact for small differences only.
        self._base_us = int(self._server_us[0])
        self._base_offset_ns = int(self._offset_ns[0])
        self.facts = _facts(probes, kept)
        self.probed_ns = tuple(probe.mono_ns for probe in probes)

    @property
    def error_ns(self) -> int:
        """Largest error of a mapped timestamp."""
        return self.facts.error_ns

    def mono_ns(self, server_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Monotonic times in ns of server timestamps in microseconds."""
        shift = np.interp(
            (server_us - self._base_us).astype(np.float64),
            (self._server_us - self._base_us).astype(np.float64),
            (self._offset_ns - self._base_offset_ns).astype(np.float64),
        )
        mapped: NDArray[np.int64] = (
            server_us * NS_PER_US + self._base_offset_ns + np.rint(shift).astype(np.int64)
        )
        return mapped


def read_clock_samples(lines: Iterable[str]) -> tuple[tuple[ClockSample, ...], int]:
    """Probes of a `clock.jsonl`, and the number of unreadable lines."""
    probes, bad = [], 0
    for line in lines:
        if not line.strip():
            continue
        try:
            entry = loads(line)
            probe = ClockSample(
                str(entry["server"]),
                int(entry["mono_ns"]),
                int(entry["server_us"]),
                int(entry["rtt_ns"]),
            )
            if (
                max(abs(probe.mono_ns), abs(probe.server_us) * NS_PER_US, probe.rtt_ns)
                > TIMESTAMP_MAX_NS
            ):
                raise ValueError("no clock shows such a moment")
            probes.append(probe)
        except MALFORMED:
            bad += 1
    return tuple(probes), bad


def clock_maps(probes: Iterable[ClockSample]) -> dict[str, ClockMap]:
    """One map for each server that was probed."""
    by_server: dict[str, list[ClockSample]] = {}
    for probe in probes:
        by_server.setdefault(probe.server, []).append(probe)
    return {server: ClockMap(found) for server, found in sorted(by_server.items())}


def _best_of_each_interval(probes: Sequence[ClockSample]) -> list[ClockSample]:
    ordered = sorted(probes, key=lambda probe: probe.mono_ns)
    first_ns = ordered[0].mono_ns
    best: dict[int, ClockSample] = {}
    for probe in ordered:
        interval = (probe.mono_ns - first_ns) // INTERVAL_NS
        if interval not in best or probe.rtt_ns < best[interval].rtt_ns:
            best[interval] = probe
    # Interpolation needs increasing server times; a clock that was set back is counted as a step.
    return sorted(best.values(), key=lambda probe: probe.server_us)


def _facts(probes: Sequence[ClockSample], kept: Sequence[ClockSample]) -> ClockSummary:
    ordered = sorted(probes, key=lambda probe: probe.mono_ns)
    steps = [
        size for before, after in pairwise(ordered) if (size := _unexplained_ns(before, after)) > 0
    ]
    least = min(probes, key=lambda probe: probe.rtt_ns)
    first, last = kept[0], kept[-1]
    span_ns = last.mono_ns - first.mono_ns
    return ClockSummary(
        server=least.server,
        probes=len(probes),
        kept=len(kept),
        offset_ns=least.offset_ns,
        error_ns=max(probe.error_ns for probe in kept),
        drift_ppm=(last.offset_ns - first.offset_ns) / span_ns * 1e6 if span_ns > 0 else None,
        drift_error_ppm=(first.error_ns + last.error_ns) / span_ns * 1e6 if span_ns > 0 else None,
        steps=len(steps),
        step_max_ns=max(steps, default=0),
    )


def _unexplained_ns(before: ClockSample, after: ClockSample) -> int:
    """How far two offsets differ beyond their errors and the largest slewing rate."""
    drift_ns = abs(after.mono_ns - before.mono_ns) * DRIFT_MAX_PPM / 1e6
    return int(
        abs(after.offset_ns - before.offset_ns) - before.error_ns - after.error_ns - drift_ns
    )
