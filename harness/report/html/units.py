"""In which unit a telemetry track is drawn, by the end of its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.resources.telemetry import TimeSeries
from harness.formatting import format_bytes, format_number, format_share_fixed
from harness.report.html.formatting import format_duration_html

_GIB = 1 << 30
_MIB = 1 << 20
_KIB = 1 << 10


@dataclass(frozen=True, slots=True)
class Unit:
    """How values of a kind are shown.

    Attributes:
        name: what stands at the axis.
        scale: what a value is divided by to be drawn.
        text: a value, as the track has it, with its unit.
    """

    name: str
    scale: float
    text: Callable[[float], str]


def unit_of(track: str, top: float) -> Unit:
    """The unit of a track.

    Args:
        track: its name.
        top: the largest value, or limit, that is drawn; in the track's own unit.
    """
    end = track.rpartition(".")[2] if not track.startswith("postgres.statement_ms.") else "_ms"
    if end.endswith("bytes_per_s"):
        name, scale = _size(top)
        return Unit(f"{name}/s", scale, lambda value: f"{format_bytes(value)}/s")
    if end.endswith("bytes"):
        return Unit(*_size(top), format_bytes)
    for ending, unit in _FIXED.items():
        if end.endswith(ending):
            return unit
    return Unit("", 1.0, format_number)


def _size(top: float) -> tuple[str, float]:
    for name, size in (("GiB", _GIB), ("MiB", _MIB), ("KiB", _KIB)):
        if top >= size:
            return name, float(size)
    return "bytes", 1.0


_FIXED = {
    "_cores": Unit("cores", 1.0, lambda value: f"{format_number(value)} cores"),
    "_share": Unit("%", 0.01, format_share_fixed),
    "_per_s": Unit("1/s", 1.0, lambda value: f"{format_number(value)}/s"),
    "_ms": Unit("ms", 1.0, lambda value: format_duration_html(value * 1e6)),
    "_count": Unit("count", 1.0, format_number),
}


def axis_max(tracks: Sequence[TimeSeries]) -> float:
    """The largest value or limit of some tracks."""
    return max((max([*track.values, track.limit or 0.0]) for track in tracks), default=0.0)
