"""What was done to the system, and how it came back, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.faults.fault_figures import FaultFigures
from harness.analysis.measurement import Measurement, RecoveryFigures
from harness.clock import NS_PER_S
from harness.formatting import format_count, format_duration_fixed
from harness.report.staleness import format_staleness

_SHOWN_MAX = 20
_HEADS = ("fault", "at", "seen after", "lasted", "first signal", "backlog gone", "what was seen")
_TEXTS = frozenset({"fault", "what was seen"})


def render_faults(measurement: Measurement) -> RenderableType | None:
    """A row for each fault, and the latency outside of their windows; None without one."""
    if not measurement.faults:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in _HEADS:
        table.add_column(head, justify="left" if head in _TEXTS else "right")
    for fault in measurement.faults[:_SHOWN_MAX]:
        table.add_row(*_row(fault, recovery_of(fault, measurement)))
    more = len(measurement.faults) - _SHOWN_MAX
    notes = [f"and {format_count(more)} more, in result.json"] if more > 0 else []
    notes += [format_staleness(one) for one in measurement.standstills]
    for found in measurement.outside_faults:
        if found.metric == "latency":
            told = ", ".join(
                f"{name.upper()} {format_duration_fixed(value)}"
                for name, value in found.percentiles_ns.items()
            )
            notes.append(
                f"latency ({found.mode}) of {format_count(found.count)} signals outside of faults:"
                f" {told}, max {format_duration_fixed(found.max_ns)}"
            )
    return Group(table, *(Text(note) for note in notes))


def recovery_of(fault: FaultFigures, measurement: Measurement) -> RecoveryFigures | None:
    """What followed a fault; None where it was not injected."""
    freed_s = fault.healed_s if fault.for_s else fault.injected_s
    return next(
        (
            one
            for one in measurement.recoveries
            if (one.kind, one.at_s) == (fault.kind, freed_s) and fault.target in one.what
        ),
        None,
    )


def _row(fault: FaultFigures, recovery: RecoveryFigures | None) -> tuple[str, ...]:
    begun, seen, over = fault.injected_s, fault.proven_s, fault.heal_proven_s
    return (
        fault.name,
        "-" if begun is None else f"{begun:.1f} s",
        _between(begun, seen),
        _between(begun, over),
        format_duration_fixed(recovery.first_ns if recovery else None),
        format_duration_fixed(recovery.backlog_ns if recovery else None),
        "; ".join(words for words in _seen(fault) if words) or fault.trouble,
    )


def _seen(fault: FaultFigures) -> tuple[str, ...]:
    answer = fault.answer
    if answer:
        answer += f" after {_between(fault.injected_s, fault.answered_s)}"
    return (fault.seen, answer, fault.seen_healed)


def _between(begin_s: float | None, end_s: float | None) -> str:
    if begin_s is None or end_s is None:
        return "never"
    return format_duration_fixed(round((end_s - begin_s) * NS_PER_S))
