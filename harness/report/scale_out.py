"""A scale-out as rows of text: its steps with times, latency around them, the services beside."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.measurement import Measurement
from harness.analysis.scale_out_figures import AgentDelays, ScaleOutFigures, ScaleStepFigures
from harness.formatting import format_count, format_duration_fixed
from harness.judge.judgement import Judgement

Rows = list[tuple[str, ...]]
STEP_HEADS = (
    *("agents", "at", "took", "started", "ended"),
    *("first event, median", "slowest", "first SIMULATED, median", "slowest"),
)
LATENCY_HEADS = ("agents", "P99 before", "during", "after")
SERVICE_HEADS = ("service", "id", "process", "restarts", "values", "changed")
_WINDOWS = ("before", "during", "after")
_ID_SHOWN = 12


def step_rows(figures: ScaleOutFigures) -> Rows:
    """A row for each step; first event and first SIMULATED count from the start of an agent."""
    return [
        (
            step_name(one),
            "-" if one.asked_s is None else f"{one.asked_s:.1f} s",
            format_duration_fixed(one.scaled_ns),
            format_count(one.started),
            format_count(one.left),
            *_delay_cells(one.first_event),
            *_delay_cells(one.first_simulated),
        )
        for one in figures.steps
    ]


def step_name(step: ScaleStepFigures) -> str:
    """Such as `50 -> 100`."""
    return f"{step.agents_before} -> {step.wanted}"


def latency_rows(figures: ScaleOutFigures) -> Rows:
    """P99 with its interval in the windows around each step, for each mode."""
    modes = list(dict.fromkeys(one.mode for step in figures.steps for one in step.latency))
    return [
        (
            step_name(step) + (f" ({mode})" if len(modes) > 1 else ""),
            *(_window_cell(step, mode, window) for window in _WINDOWS),
        )
        for step in figures.steps
        for mode in modes
    ]


def service_rows(figures: ScaleOutFigures) -> Rows:
    """A row for each service of Zone B."""
    return [
        (
            one.name,
            one.id[:_ID_SHOWN],
            str(one.pid),
            str(one.restarts),
            # Id, process, start and restarts, beside the limits.
            format_count(len(one.limits) + 4),
            "; ".join(one.changes) or "nothing",
        )
        for one in figures.services
    ]


def scale_out_notes(figures: ScaleOutFigures) -> list[str]:
    """Sentences on the events of each agent."""
    return [
        f"{one.start_s:.0f} to {one.end_s:.0f} s: {format_count(one.events, 'event')} over"
        f" {format_count(one.agents, 'agent')}, {one.smallest} to {one.largest} each"
        for one in figures.consumers
    ]


def scale_out_section(measurement: Measurement, _: Judgement) -> RenderableType | None:
    """The scale-out for a terminal; None without one."""
    figures = measurement.scale_out
    if figures is None:
        return None
    tables = [
        _table(STEP_HEADS, step_rows(figures)),
        _table(LATENCY_HEADS, latency_rows(figures)),
        _table(SERVICE_HEADS, service_rows(figures)),
    ]
    return Group(*tables, *(Text(note) for note in scale_out_notes(figures)))


def _delay_cells(delays: AgentDelays) -> tuple[str, str]:
    if not delays.count + delays.missing:
        return "-", "-"
    slowest = format_duration_fixed(delays.max_ns)
    missing = f" ({delays.missing} never)" if delays.missing else ""
    return format_duration_fixed(delays.median_ns), f"{slowest}{missing}"


def _window_cell(step: ScaleStepFigures, mode: str, window: str) -> str:
    for one in step.latency:
        if (one.mode, one.window) == (mode, window) and one.p99_ns is not None:
            low, high = (
                "?" if bound is None else format_duration_fixed(bound)
                for bound in (one.lower_ns, one.upper_ns)
            )
            return f"{format_duration_fixed(one.p99_ns)} ({low} to {high})"
    return "-"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
