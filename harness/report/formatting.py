"""Numbers as people read them; the only place where nanoseconds turn into text."""

from __future__ import annotations


def format_duration(value_ns: float | None) -> str:
    """A duration with three significant digits: `4.12 ms`, `12.1 s`; a dash for None."""
    if value_ns is None:
        return "-"
    for unit, size in (("s", 1e9), ("ms", 1e6)):
        if abs(value_ns) >= size:
            return f"{_three_digits(value_ns / size)} {unit}"
    if abs(value_ns) >= 100_000:
        return f"{_three_digits(value_ns / 1e6)} ms"
    return f"{_three_digits(value_ns / 1e3)} us"


def format_count(value: float) -> str:
    """A count with thousands separated."""
    return f"{value:,.0f}"


def format_rate(value: float) -> str:
    """Events per second."""
    return f"{_three_digits(value)}/s"


def format_share(value: float) -> str:
    """A share as a percentage."""
    return f"{_three_digits(100 * value)} %"


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    if size >= 0.9995:
        return f"{value:.2f}"
    return f"{value:.3g}"
