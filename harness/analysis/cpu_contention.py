"""CPU contention of a host, in blocks with and without a treatment.

A quota of one core has no effect where cores are idle. An experiment that claims isolation under
CPU contention has to show that there was contention: telemetry gives how busy the host was, and
how long the system's own services waited for a core.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from harness.analysis.paired_blocks import TrialBlock
from harness.analysis.resources.telemetry import Telemetry, TimeSeries
from harness.clock import NS_PER_S

_BUSY = "host.busy_cores"
_SERVICE, _WAITED = "service.", ".cpu_wait_cores"
# With a tenth of the cores idle, a runnable task finds one.
SATURATED_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class CpuContention:
    """Means over the counted parts of some blocks.

    Attributes:
        cores: of the host.
        busy_cores: used by any process.
        waited_cores: runnable and waiting for a core, the system's services together.
    """

    cores: float
    busy_cores: float
    waited_cores: float

    @property
    def is_fought_over(self) -> bool:
        """Whether the cores were saturated."""
        return self.busy_cores >= SATURATED_SHARE * self.cores


def measure_contention(
    telemetry: Telemetry, blocks: Sequence[TrialBlock], injectors: Set[str]
) -> CpuContention | None:
    """CPU contention in these blocks; None without telemetry of the host.

    Args:
        telemetry: of the run that the blocks are parts of.
        blocks: whose counted parts are measured.
        injectors: services that run the treatment; their waiting is not the system's.
    """
    busy = telemetry.time_series.get(_BUSY)
    if busy is None or busy.limit is None:
        return None
    inside = _inside(busy, blocks, telemetry.every_s)
    if not inside:
        return None
    waited = [
        _mean(_inside(series, blocks, telemetry.every_s))
        for series in telemetry.of(_SERVICE)
        if series.name.endswith(_WAITED) and _service_of(series.name) not in injectors
    ]
    return CpuContention(busy.limit, _mean(inside), sum(waited))


def _service_of(name: str) -> str:
    return name.removeprefix(_SERVICE).removesuffix(_WAITED)


def _inside(series: TimeSeries, blocks: Iterable[TrialBlock], every_s: float) -> list[float]:
    """Values whose whole sampling interval lies within the counted parts."""
    spans = [(b.counted_ns / NS_PER_S + every_s, b.counted_end_ns / NS_PER_S) for b in blocks]
    return [
        value
        for at_s, value in zip(series.at_s, series.values, strict=True)
        if any(first_s <= at_s <= last_s for first_s, last_s in spans)
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
