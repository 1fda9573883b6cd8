"""Axes that all figures share: durations on a logarithmic scale, and the run's time."""

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
        high_ns: largest.
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
    """Powers of ten; of a narrow axis also twice and five times as much."""
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
    """The run's time; the page zooms all figures that have it together."""
    return {
        "type": "linear",
        "title": {"text": TIME_TITLE},
        "range": [start_s, end_s],
        "ticksuffix": " s",
    }


def limit_line(value: float, *, yref: str = "y") -> dict[str, Any]:
    """A line across the drawing that a good run stays below."""
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
    """The name of a line on a logarithmic axis, readable over what is drawn below it.

    Args:
        log_value: logarithm to the base of ten of the line's value, as such axes place labels.
        text: its name.
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
