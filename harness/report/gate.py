"""The result of a gate: rounds by kind, and latency with and without it, as rows of text."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.gate.figures import GateFigures, GateLatency
from harness.analysis.measurement import Measurement
from harness.formatting import format_count, format_duration_fixed
from harness.judge.judgement import Judgement

Rows = list[tuple[str, ...]]
ROUND_HEADS = ("rounds with", "played", "held", "broken")
LATENCY_HEADS = ("latency", "P50", "P90", "P99", "max", "signals")
_PERCENTILES = ("p50", "p90", "p99")


def round_rows(gate: GateFigures) -> Rows:
    """A row for each kind with rounds, and one for all; a round of two kinds is in both."""
    rows = [(one.kind, one.rounds, one.held, one.broken) for one in gate.kinds if one.rounds]
    rows.append(("any of them", gate.rounds, gate.held, gate.broken))
    return [(name, *(format_count(number) for number in numbers)) for name, *numbers in rows]


def latency_rows(gate: GateFigures) -> Rows:
    """Of each mode: while the gate was on, and before and after."""
    modes = {one.mode for one in gate.latency}
    return [_latency_row(one, several=len(modes) > 1) for one in gate.latency]


def gate_notes(gate: GateFigures) -> list[str]:
    """Sentences on the gate as a whole."""
    notes = [
        f"decisions: {format_count(gate.simulated)} accepted,"
        f" {format_count(gate.refused)} refused,"
        f" {format_count(gate.slow)} of them because the node was slow"
    ]
    if gate.opened_s is not None:
        end_s = gate.released_s
        end = "its end was not observed" if end_s is None else f"it ended at {end_s:.1f} s"
        notes.append(f"the node answered at {gate.opened_s:.1f} s, and {end}")
    if gate.invariants:
        broken = ", ".join(
            f"{name} {format_count(often)}" for name, often in gate.invariants.items()
        )
        notes.append(f"broken invariants: {broken}")
    if gate.unplayed:
        notes.append(f"not completed: {format_count(gate.unplayed)} rounds")
    return notes


def gate_section(measurement: Measurement, _: Judgement) -> RenderableType | None:
    """The gate for a terminal; None without one."""
    gate = measurement.gate
    if gate is None:
        return None
    tables = [_table(ROUND_HEADS, round_rows(gate))]
    if gate.latency:
        tables.append(_table(LATENCY_HEADS, latency_rows(gate)))
    return Group(*tables, *(Text(note) for note in gate_notes(gate)))


def _latency_row(one: GateLatency, *, several: bool) -> tuple[str, ...]:
    name = "while the gate was on" if one.during else "before and after"
    return (
        f"{name} ({one.mode})" if several else name,
        *(format_duration_fixed(one.percentiles_ns.get(percentile)) for percentile in _PERCENTILES),
        format_duration_fixed(one.max_ns) if one.count else "-",
        format_count(one.count),
    )


def _table(heads: tuple[str, ...], rows: Rows) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table
