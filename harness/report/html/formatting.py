"""Text of the HTML page where it differs from the terminal's."""

from __future__ import annotations

from html import escape

from harness.clock import NS_PER_MS
from harness.formatting import format_duration_fixed


def format_duration_html(value_ns: float | None) -> str:
    """`harness.formatting.format_duration_fixed`, with the letter of micro."""
    return format_duration_fixed(value_ns).replace(" us", " µs")


def escape_plotly(text: str) -> str:
    """Text of a run inside a drawing, where Plotly would read tags."""
    return escape(text, quote=False)


def to_ms(value_ns: float | None) -> float | None:
    """Milliseconds, rounded to what a drawing can show."""
    return None if value_ns is None else float(f"{value_ns / NS_PER_MS:.4g}")
