"""Figures of the page as text."""

from __future__ import annotations

from html import escape

from harness.clock import NS_PER_MS
from harness.report.formatting import format_count, format_duration, format_share

__all__ = [
    "escape_plotly",
    "format_bytes",
    "format_count",
    "format_duration_html",
    "format_number",
    "format_share",
]

_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def format_duration_html(value_ns: float | None) -> str:
    """A duration as `format_duration` writes it, with the letter µ."""
    return format_duration(value_ns).replace(" us", " µs")


def format_bytes(value: float) -> str:
    """A size with three significant digits: `1.24 GiB`."""
    for unit, size in _SIZES:
        if abs(value) >= size:
            return f"{format_number(value / size)} {unit}"
    return f"{value:.0f} B"


def format_number(value: float) -> str:
    """A number with at most three significant digits."""
    size = abs(value)
    if size >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1e-3 or value == 0 else f"{value:.1e}"


def escape_plotly(text: str) -> str:
    """Text from a run inside of a drawing, where Plotly would interpret tags."""
    return escape(text, quote=False)


def to_ms(value_ns: float | None) -> float | None:
    """Milliseconds, rounded to four significant digits."""
    return None if value_ns is None else float(f"{value_ns / NS_PER_MS:.4g}")
