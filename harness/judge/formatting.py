"""Figures as the judgement's sentences have them."""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S


def format_duration(value_ns: float | None) -> str:
    """`12.3 ms`, `1,234 ms`, `61.0 s`; "unknown" for None."""
    if value_ns is None:
        return "unknown"
    if abs(value_ns) >= 10 * NS_PER_S:
        return f"{value_ns / NS_PER_S:,.1f} s"
    if abs(value_ns) >= 100 * NS_PER_MS:
        return f"{value_ns / NS_PER_MS:,.0f} ms"
    return f"{value_ns / NS_PER_MS:.3g} ms"


def format_share(value: float) -> str:
    """`0.25 %`."""
    return f"{100 * value:.3g} %"


def format_share_of_second(value: float) -> str:
    """A share of time as people picture it: `412 ms` of each second."""
    return f"{1000 * value:.3g} ms"


def format_count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 signal`, `1,200 signals`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_percentile(percentile: float) -> str:
    """`P99`, `P99.9`."""
    return f"P{percentile:g}"


def format_longer_run(longer_ns: int | None, stage: str | None = None) -> str:
    """How much longer to run for an answer, in ns; None where no reasonable time would do."""
    if longer_ns is None:
        return "; no reasonable length of run would tell"
    what = "run" if stage is None else f"run stage {stage}"
    if longer_ns < 60 * NS_PER_S:
        return f"; {what} about {max(1, round(longer_ns / NS_PER_S))} s longer"
    return f"; {what} about {-(-longer_ns // (60 * NS_PER_S))} min longer"
