"""Durations that the figures of a run are compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.clock import NS_PER_MS, NS_PER_S, NS_PER_US


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Duration:
    """A length of time of whole nanoseconds; made by `us`, `ms` and `seconds`."""

    ns: int

    def __str__(self) -> str:
        """The exact value as an objective has it: `500 ms`, `12.5 ms`, `2 s`."""
        unit_ns, unit = NS_PER_MS, "ms"
        if self.ns and self.ns % NS_PER_S == 0:
            unit_ns, unit = NS_PER_S, "s"
        elif self.ns < NS_PER_MS:
            unit_ns, unit = NS_PER_US, "us"
        whole, rest = divmod(self.ns, unit_ns)
        digits = f"{rest:0{len(str(unit_ns)) - 1}d}".rstrip("0")
        return f"{whole}.{digits} {unit}" if digits else f"{whole} {unit}"

    __repr__ = __str__


def us(value: float) -> Duration:
    """Microseconds."""
    return _of(value, NS_PER_US)


def ms(value: float) -> Duration:
    """Milliseconds: `ms(500)`."""
    return _of(value, NS_PER_MS)


def seconds(value: float) -> Duration:
    """Seconds."""
    return _of(value, NS_PER_S)


def _of(value: float, unit_ns: int) -> Duration:
    if isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is not a duration: write a number, 0 or more")
    return Duration(round(value * unit_ns))
