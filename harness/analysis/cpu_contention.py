"""Whether a host's cores were fought over, in blocks with and without a disturbance.

A quota of one core disturbs nobody where cores are idle. So an experiment that claims to have
withstood a fight for cores has to show that there was one: from telemetry, how busy the host was,
and how long the system's own services stood ready without a core.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from harness.analysis.paired_blocks import TrialBlock
from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.clock import NS_PER_S

_BUSY = "host.busy_cores"
_SERVICE, _WAITED = "service.", ".cpu_wait_cores"
# Where a tenth of the cores is idle, whoever is ready to run finds one.
SATURATED_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class CpuContention:
    """Means over the counted parts of some blocks.

    Attributes:
        cores: of the host.
        busy_cores: at work, whoever for.
        waited_cores: ready to run and without a core, the system's services together.
    """

    cores: float
    busy_cores: float
    waited_cores: float

    @property
    def is_fought_over(self) -> bool:
        """Whether hardly a core was idle."""
        return self.busy_cores >= SATURATED_SHARE * self.cores


def measure_contention(
    telemetry: Telemetry, blocks: Sequence[TrialBlock], disturbers: Set[str]
) -> CpuContention | None:
    """What the telemetry says of some blocks; None where it does not tell.

    Args:
        telemetry: of the run that the blocks are parts of.
        blocks: whose counted parts are looked at.
        disturbers: services that the disturbance is in, which are no part of the system's waiting.
    """
    busy = telemetry.time_series.get(_BUSY)
    if busy is None or busy.limit is None:
        return None
    inside = _inside(busy, blocks, telemetry.every_s)
    if not inside:
        return None
    waited = [
        _mean(_inside(track, blocks, telemetry.every_s))
        for track in telemetry.of(_SERVICE)
        if track.name.endswith(_WAITED) and _whose(track.name) not in disturbers
    ]
    return CpuContention(busy.limit, _mean(inside), sum(waited))


def _whose(name: str) -> str:
    return name.removeprefix(_SERVICE).removesuffix(_WAITED)


def _inside(track: TimeSeries, blocks: Iterable[TrialBlock], every_s: float) -> list[float]:
    """Values that speak of nothing but the counted parts; each of the time since the one before."""
    spans = [(b.counted_ns / NS_PER_S + every_s, b.counted_end_ns / NS_PER_S) for b in blocks]
    return [
        value
        for at_s, value in zip(track.at_s, track.values, strict=True)
        if any(first_s <= at_s <= last_s for first_s, last_s in spans)
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
