"""Text of the HTML page where it differs from the terminal's."""

from __future__ import annotations

from html import escape

from harness.clock import NS_PER_MS
from harness.formatting import format_duration_fixed


def format_duration_html(value_ns: float | None) -> str:
    """A duration as `harness.formatting.format_duration_fixed` writes it, with the letter µ."""
    return format_duration_fixed(value_ns).replace(" us", " µs")


def escape_plotly(text: str) -> str:
    """Text of a run inside a drawing, where Plotly would interpret tags."""
    return escape(text, quote=False)


def to_ms(value_ns: float | None) -> float | None:
    """Milliseconds, rounded to four significant digits."""
    return None if value_ns is None else float(f"{value_ns / NS_PER_MS:.4g}")
