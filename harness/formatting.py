"""Figures as text for people: the only place where nanoseconds, shares and bytes become text.

Two styles: a sentence shows up to three significant digits ("4.1 ms", "2.5 %"); a table, a headline
or a drawing keeps the zeros of three ("4.10 ms", "2.50 %"), so that columns line up: `*_fixed`.
"""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S, NS_PER_US

_BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def format_duration(value_ns: float | None) -> str:
    """`12.3 ms`, `1,234 ms`, `61.0 s` (from 10 s up); "unknown" for None."""
    if value_ns is None:
        return "unknown"
    if abs(value_ns) >= 10 * NS_PER_S:
        return f"{value_ns / NS_PER_S:,.1f} s"
    return format_milliseconds(value_ns / NS_PER_MS)


def format_duration_fixed(value_ns: float | None) -> str:
    """Three significant digits in us, ms (from 0.1 ms up) or s (from 1 s up); a dash for None."""
    if value_ns is None:
        return "-"
    if abs(value_ns) >= NS_PER_S:
        return f"{_three_digits(value_ns / NS_PER_S)} s"
    if abs(value_ns) >= 100 * NS_PER_US:
        return f"{_three_digits(value_ns / NS_PER_MS)} ms"
    return f"{_three_digits(value_ns / NS_PER_US)} us"


def format_milliseconds(value_ms: float) -> str:
    """`12.3 ms`, `1,234 ms`, of milliseconds."""
    return f"{value_ms:,.0f} ms" if abs(value_ms) >= 100 else f"{value_ms:.3g} ms"


def format_count(number: float, noun: str = "", plural: str = "") -> str:
    """`1,200`, `1 signal`, `1,200 signals`."""
    # An int of stored evidence may be larger than any float.
    text = f"{number:,}" if isinstance(number, int) else f"{number:,.0f}"
    if not noun:
        return text
    return f"{text} {noun if number == 1 else plural or noun + 's'}"


def format_number(value: float) -> str:
    """Up to three significant digits: `0.25`, `12.3`, `1,234`, `1.2e-05`."""
    size = abs(value)
    if size >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1e-3 or value == 0 else f"{value:.1e}"


def format_rate(value: float) -> str:
    """Events per second: `12.3/s`."""
    return f"{_three_digits(value)}/s"


def format_share(value: float) -> str:
    """A share as a percentage of up to three significant digits: `0.25 %`."""
    return f"{100 * value:.3g} %"


def format_share_fixed(value: float) -> str:
    """A share as a percentage of three significant digits: `2.50 %`, `0.25 %`."""
    return f"{_three_digits(100 * value)} %"


def format_percent(value: float) -> str:
    """A share as a whole percentage, of one significant digit below 1 %: `42 %`, `0.3 %`."""
    shown = 100 * value
    return f"{shown:,.0f} %" if shown >= 1 or shown == 0 else f"{shown:.1g} %"


def format_share_of_second(value: float) -> str:
    """A share of time as milliseconds of each second: `412 ms`."""
    return f"{1000 * value:.3g} ms"


def format_percentile(percentile: float) -> str:
    """`P99`, `P99.9`."""
    return f"P{percentile:g}"


def format_cores(value: float) -> str:
    """`0.42 cores`; always the plural: "1.00 core" reads as a whole one."""
    return f"{value:.2f} cores"


def format_bytes(value: float) -> str:
    """`3.42 GiB`, `1,020 KiB`, `87 B`."""
    for size, unit in _BYTES:
        if abs(value) >= size:
            return f"{format_number(value / size)} {unit}"
    return f"{value:.0f} B"


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
