"""Axes that charts share: durations on a logarithmic scale, and the run's time."""

from __future__ import annotations

import math
from typing import Any

from harness.report.html.formatting import format_duration_html

NS_PER_MS = 1_000_000
TIME_TITLE = "seconds since the first signal was due"


def log_durations(low_ns: float, high_ns: float, title: str) -> dict[str, Any]:
    """A logarithmic axis of milliseconds, labelled in the unit that fits.

    Args:
        low_ns: smallest value to be shown, above zero.
        high_ns: largest value.
        title: of the axis.
    """
    low = math.log10(max(low_ns, 1_000) / NS_PER_MS)
    high = math.log10(max(high_ns, 2_000) / NS_PER_MS)
    high = max(high, low + 0.3)
    room = 0.04 * (high - low)
    ticks = _ticks(low - room, high + room)
    return {
        "type": "log",
        "title": {"text": title},
        "range": [low - room, high + room],
        "tickvals": ticks,
        "ticktext": [_label(tick) for tick in ticks],
    }


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten; on a narrow axis also 2 and 5 times these."""
    factors = (1,) if high - low > 2.2 else (1, 2, 5)
    exponents = range(math.floor(low), math.ceil(high) + 1)
    every = [float(f"{factor * 10.0**power:.3g}") for power in exponents for factor in factors]
    return [tick for tick in every if low <= math.log10(tick) <= high]


def _label(tick_ms: float) -> str:
    number, _, unit = format_duration_html(tick_ms * NS_PER_MS).partition(" ")
    if tick_ms < 1:
        number, unit = f"{tick_ms * 1_000:g}", "µs"
    return f"{float(number.replace(',', '')):g} {unit}"


def time_axis(end_s: float, start_s: float = 0.0) -> dict[str, Any]:
    """The run's time; the page zooms all charts that have this axis together."""
    return {
        "type": "linear",
        "title": {"text": TIME_TITLE},
        "range": [start_s, end_s],
        "ticksuffix": " s",
    }


def limit_line(value: float, *, yref: str = "y") -> dict[str, Any]:
    """A line across the drawing; a good run stays below it."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": yref,
        "y0": value,
        "y1": value,
        "line": {"color": "@limit", "width": 1.5, "dash": "dash"},
    }


def limit_label(log_value: float, text: str) -> dict[str, Any]:
    """The label of a line on a logarithmic axis, readable over the traces below it.

    Args:
        log_value: decimal logarithm of the line's value, which places labels on such an axis.
        text: the label.
    """
    return {
        "x": 1,
        "xref": "paper",
        "xanchor": "right",
        "y": log_value,
        "yref": "y",
        "yanchor": "bottom",
        "yshift": 2,
        "text": text,
        "showarrow": False,
        "font": {"color": "@limit"},
        "bgcolor": "@card",
        "opacity": 0.9,
        "borderpad": 1,
    }
