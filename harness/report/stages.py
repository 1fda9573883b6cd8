"""The table of the stages of a load: the same rows in every form of report."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.measurement import SignalCounts
from harness.analysis.stage_figures import StageFigures, StageLatencyFigures
from harness.formatting import format_count, format_duration_fixed, format_number

STAGE_HEADS = (
    *("stage", "agents", "asked/s", "sent/s", "signals", "P50", "P99", "P99 interval"),
    *("backlog at end", "objectives"),
)
# A person reads no more; the result has every stage.
ROWS_MAX = 40


def stage_rows(measurement: SignalCounts) -> list[tuple[str, ...]]:
    """A row for each stage and mode, as text; none for a load of one stage."""
    return [row for stage in measurement.stages for row in _rows(stage)]


def left_out(rows: int) -> str:
    """A note on the rows beyond `ROWS_MAX`; empty without any."""
    beyond = rows - ROWS_MAX
    if beyond <= 0:
        return ""
    return f"and {format_count(beyond, 'row')} more: measurement.stages of result.json"


def _rows(stage: StageFigures) -> Iterator[tuple[str, ...]]:
    several = len(stage.latency) > 1
    for latency in stage.latency or (None,):
        mode = f" ({latency.mode})" if latency is not None and several else ""
        yield (
            f"{_title(stage)}{mode}",
            format_count(stage.agents),
            _asked(stage),
            format_number(stage.rate_sent),
            *_latency(latency),
            "-" if stage.in_flight_end is None else format_count(stage.in_flight_end),
            stage.verdict or "-",
        )


def _title(stage: StageFigures) -> str:
    name = f" {stage.name}" if stage.name else ""
    times = f" x {stage.repetitions}" if stage.repetitions > 1 else ""
    phase = "" if stage.phase == "measure" else f" ({stage.phase})"
    return f"{stage.number}{name}{times}{phase}"


def _asked(stage: StageFigures) -> str:
    if stage.rate_from == stage.rate_to:
        return format_number(stage.rate_from)
    return f"{format_number(stage.rate_from)} to {format_number(stage.rate_to)}"


def _latency(figures: StageLatencyFigures | None) -> tuple[str, str, str, str]:
    if figures is None:
        return "0", "-", "-", "-"
    lower, upper = figures.p99_lower_ns, figures.p99_upper_ns
    interval = f"{_bound(lower)} to {_bound(upper)}" if figures.p99_ns is not None else "-"
    return (
        format_count(figures.count),
        format_duration_fixed(figures.p50_ns),
        format_duration_fixed(figures.p99_ns),
        interval,
    )


def _bound(value_ns: int | None) -> str:
    return "?" if value_ns is None else format_duration_fixed(value_ns)
