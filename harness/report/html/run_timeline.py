"""Phases and events of the run, as every chart over time shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.analysis.faults.fault_figures import FaultFigures
from harness.analysis.measurement import FaultEffects, Measurement, RecoveryFigures
from harness.clock import NS_PER_S
from harness.evidence.run_documents import RunEvent
from harness.formatting import format_count, format_number
from harness.report import scale_out
from harness.report.faults import format_feed_stall
from harness.report.gate import LATENCY_HEADS, ROUND_HEADS, gate_notes, latency_rows, round_rows
from harness.report.html.components import Table
from harness.report.html.formatting import format_duration_html
from harness.scenario import Load, Phase

# More of them would hide the chart; the table below it has them all.
ANNOTATIONS_MAX = 40
_PHASE_NAMES = {
    Phase.WARMUP: "warm-up",
    Phase.MEASURE: "measured",
    Phase.COOLDOWN: "cool-down",
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """An event of the run.

    Attributes:
        at_s: seconds after t0.
        until_s: end of its effects; None for an instant, or where unknown.
        kind: its kind, as text.
        what: its description.
    """

    at_s: float
    until_s: float | None
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class RunTimeline:
    """The run's time.

    Attributes:
        end_s: end of the time axis, seconds after t0.
        phases: name, start and end of each uninterrupted phase.
    """

    end_s: float
    phases: tuple[tuple[str, float, float], ...]
    annotations: tuple[Annotation, ...]

    def shapes(self) -> list[dict[str, Any]]:
        """Shades for the warm-up and for faults, lines for events."""
        shapes = [
            _shade(start, end, "@shade")
            for name, start, end in self.phases
            if name != _PHASE_NAMES[Phase.MEASURE]
        ]
        for mark in self.annotations[:ANNOTATIONS_MAX]:
            if mark.until_s is not None:
                shapes.append(_shade(mark.at_s, mark.until_s, "@fault"))
            shapes.append(_line(mark.at_s))
        return shapes

    def numbers(self) -> list[dict[str, Any]]:
        """The number of each event, above the plot, as in the table."""
        return [
            {
                "x": mark.at_s,
                "xref": "x",
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "text": f"<b>{number + 1}</b>",
                "showarrow": False,
                "font": {"color": "@limit", "size": 12},
            }
            for number, mark in enumerate(self.annotations[:ANNOTATIONS_MAX])
        ]

    def table(self) -> Table:
        """Every event in order."""
        rows = [
            (
                str(number + 1),
                f"{format_number(mark.at_s)} s",
                "-" if mark.until_s is None else f"{format_number(mark.until_s)} s",
                mark.kind,
                mark.what,
            )
            for number, mark in enumerate(self.annotations)
        ]
        heads = ("no.", "at", "until", "event", "description")
        return Table.of("Events of the run", heads, rows, numbers=False)


def outside_table(measurement: FaultEffects) -> Table | None:
    """Percentiles of the signals outside of fault windows; None without faults."""
    if not measurement.outside_faults:
        return None
    names = ("p50", "p90", "p99", "p99.9")
    rows = [
        (
            f"{one.metric}, {one.mode}",
            format_count(one.count),
            *(format_duration_html(one.percentiles_ns.get(name)) for name in names),
            format_duration_html(one.max_ns),
        )
        for one in measurement.outside_faults
    ]
    heads = ("figure", "signals", *(name.upper() for name in names), "max")
    return Table.of("Measured signals outside of fault windows", heads, rows)


def gate_tables(measurement: Measurement) -> Iterator[Table]:
    """Rounds of a gate by kind, and latency with and without it; nothing without one."""
    gate = measurement.gate
    if gate is None:
        return
    notes = "; ".join(gate_notes(gate))
    yield Table.of(f"Rounds of the gate: {notes}", ROUND_HEADS, round_rows(gate))
    if gate.latency:
        yield Table.of("Latency with and without the gate", LATENCY_HEADS, latency_rows(gate))


def scale_out_tables(measurement: Measurement) -> Iterator[Table]:
    """Steps of a scale-out, P99 around them, services beside them; nothing without one."""
    figures = measurement.scale_out
    if figures is None:
        return
    notes = "; ".join(scale_out.scale_out_notes(figures))
    yield Table.of(
        f"Steps of the scale-out: {notes}", scale_out.STEP_HEADS, scale_out.step_rows(figures)
    )
    rows = scale_out.latency_rows(figures)
    yield Table.of("P99 around each step of the scale-out", scale_out.LATENCY_HEADS, rows)
    rows = scale_out.service_rows(figures)
    yield Table.of("Zone B during the scale-out", scale_out.SERVICE_HEADS, rows)


def timeline_of(
    load: Load, measurement: Measurement, events: tuple[RunEvent, ...], t0_ns: int, end_ns: int
) -> RunTimeline:
    """The timeline of a run.

    Args:
        load: the executed load.
        measurement: for the recovery after each event.
        events: of the run.
        t0_ns: start of the first stage.
        end_ns: end of the observation; 0 where unknown.
    """
    phases: list[tuple[str, float, float]] = []
    start_s = 0.0
    for stage in load.timeline():
        end_s = start_s + stage.duration_s
        name = _PHASE_NAMES[stage.phase]
        if phases and phases[-1][0] == name:
            phases[-1] = (name, phases[-1][1], end_s)
        else:
            phases.append((name, start_s, end_s))
        start_s = end_s
    observed_s = (end_ns - t0_ns) / NS_PER_S if end_ns else start_s
    recoveries = {(one.kind, round(one.at_s, 3)): one for one in measurement.recoveries}
    marks = [_mark(event, t0_ns, recoveries) for event in events]
    stalls: dict[float | None, str] = {
        one.at_s: format_feed_stall(one) for one in measurement.standstills
    }
    marks += [_fault(fault, stalls.get(fault.injected_s)) for fault in measurement.faults]
    if measurement.gate is not None and measurement.gate.opened_s is not None:
        gate = measurement.gate
        what = f"{gate.rounds:,} rounds, {gate.broken:,} broken"
        marks.append(Annotation(measurement.gate.opened_s, gate.released_s, "gate", what))
    for step in measurement.scale_out.steps if measurement.scale_out else ():
        if step.asked_s is not None and step.scaled_ns is not None:
            end_s = step.asked_s + step.scaled_ns / NS_PER_S
            what = f"{scale_out.step_name(step)} agents"
            marks.append(Annotation(step.asked_s, end_s, "scale-out", what))
    return RunTimeline(
        end_s=max(start_s, min(observed_s, 2 * start_s)),
        phases=tuple(phases),
        annotations=tuple(sorted(marks, key=lambda mark: mark.at_s)),
    )


def _mark(
    event: RunEvent, t0_ns: int, recoveries: dict[tuple[str, float], RecoveryFigures]
) -> Annotation:
    at_s = (event.mono_ns - t0_ns) / NS_PER_S if event.mono_ns else 0.0
    found = recoveries.get((event.kind, round(at_s, 3)))
    until_s = None
    what = event.what
    if found is not None and found.backlog_ns is not None:
        until_s = at_s + found.backlog_ns / NS_PER_S
        what += f"; backlog cleared {format_duration_html(found.backlog_ns)} later"
    return Annotation(at_s, until_s, event.kind.replace("_", " "), what)


def _fault(fault: FaultFigures, feed_stall: str | None) -> Annotation:
    """A planned fault, from its injection to the proof of its end.

    Args:
        fault: its figures.
        feed_stall: further figures of a stall of the chain feed.
    """
    at_s = fault.planned_s if fault.injected_s is None else fault.injected_s
    until_s = fault.healed_s if fault.heal_proven_s is None else fault.heal_proven_s
    texts = (fault.seen, fault.answer, fault.seen_healed, fault.trouble, feed_stall or "")
    what = "; ".join(filter(None, texts)) or "without any proof"
    return Annotation(at_s, until_s, f"fault: {fault.kind} of {fault.target}", what)


def _shade(start_s: float, end_s: float, colour: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "x0": start_s,
        "x1": end_s,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"width": 0},
        "fillcolor": colour,
        "layer": "below",
    }


def _line(at_s: float) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "x0": at_s,
        "x1": at_s,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": "@limit", "width": 1, "dash": "dot"},
    }
