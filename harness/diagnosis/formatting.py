"""Figures of the diagnosis as text."""

from __future__ import annotations

_BYTES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def format_bytes(value: float) -> str:
    """`3.42 GiB`, `120 MiB`, `87 B`."""
    for size, unit in _BYTES:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def format_cores(value: float) -> str:
    """`0.42 cores`; "1.00 core" reads as a full one."""
    return f"{value:.2f} cores"


def format_percent(value: float) -> str:
    """A share as a whole percentage, `0.3 %` below one of them."""
    shown = 100 * value
    return f"{shown:,.0f} %" if shown >= 1 or shown == 0 else f"{shown:.1g} %"


def format_milliseconds(value: float) -> str:
    """`12.3 ms`, `1,234 ms`."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
