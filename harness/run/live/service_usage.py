"""Current use of CPU and memory by each service, from the newest lines of a run's telemetry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.run.live.json_lines_tail import JsonLinesTail
from harness.run.live.summary import ServiceUsage

_PREFIX = "service."
_FIGURES = {".cpu_cores": "cpu_cores", ".memory_bytes": "memory_bytes"}
_LIMITS = {".cpu_cores": "cpu_limit_cores", ".memory_bytes": "memory_limit_bytes"}
# A rate needs the previous sample.
_SAMPLES = 2


class UsageTail:
    """Reads `telemetry.jsonl` as it grows, and keeps the lines for the newest figures.

    Args:
        path: need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._lines = JsonLinesTail(path)
        self._columns: list[dict[str, Any]] = []
        self._limits: dict[str, dict[str, Any]] = {}
        self._samples: dict[str, list[dict[str, Any]]] = {}
        self._usage: tuple[ServiceUsage, ...] = ()

    def read(self) -> tuple[ServiceUsage, ...]:
        """Use of each service in the newest second; empty without telemetry."""
        new = self._lines.read_new()
        for line in new:
            self._keep(line)
        if new:
            self._usage = newest_usage(self._newest())
        return self._usage

    def _keep(self, line: dict[str, Any]) -> None:
        kind = line.get("kind")
        if kind == "columns":
            self._columns.append(line)
        elif kind == "limit":
            self._limits[str(line.get("track"))] = line
        elif kind == "look":
            samples = self._samples.setdefault(str(line.get("of")), [])
            samples.append(line)
            del samples[:-_SAMPLES]

    def _newest(self) -> Telemetry:
        samples = (sample for own in self._samples.values() for sample in own)
        kept = (*self._columns, *self._limits.values(), *samples)
        return read_telemetry((json.dumps(line) for line in kept), t0_ns=0)


def newest_usage(telemetry: Telemetry) -> tuple[ServiceUsage, ...]:
    """The newest CPU and memory of each service, those near their CPU quota first."""
    found: dict[str, dict[str, float | None]] = {}
    for suffix, figure in _FIGURES.items():
        for name, track in _services(telemetry.time_series, suffix):
            found.setdefault(name, {}).update(
                {figure: track.values[-1], _LIMITS[suffix]: track.limit}
            )
    usage = [ServiceUsage(name, **figures) for name, figures in found.items()]
    return tuple(sorted(usage, key=lambda own: (-cpu_share(own), own.name)))


def cpu_share(usage: ServiceUsage) -> float:
    """CPU as a share of its quota, or of one core where there is none."""
    return (usage.cpu_cores or 0.0) / (usage.cpu_limit_cores or 1.0)


def _services(tracks: Mapping[str, TimeSeries], suffix: str) -> list[tuple[str, TimeSeries]]:
    return [
        (name.removeprefix(_PREFIX).removesuffix(suffix), track)
        for name, track in tracks.items()
        if name.startswith(_PREFIX) and name.endswith(suffix) and track.values
    ]
