"""Faults and the recovery from them, as text; the table is for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.faults.chain_feed_stall_figures import ChainFeedStallFigures
from harness.analysis.faults.fault_figures import FaultFigures
from harness.analysis.measurement import FaultEffects, RecoveryFigures
from harness.clock import NS_PER_S
from harness.formatting import format_count, format_duration_fixed
from harness.judge.judgement import Judgement

_SHOWN_MAX = 20
_HEADS = ("fault", "at", "proven after", "lasted", "first signal", "backlog cleared", "proof")
_TEXTS = frozenset({"fault", "proof"})


def faults_section(measurement: FaultEffects, _: Judgement) -> RenderableType | None:
    """A row for each fault, and the latency outside of their windows; None without a fault."""
    if not measurement.faults:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in _HEADS:
        table.add_column(head, justify="left" if head in _TEXTS else "right")
    for fault in measurement.faults[:_SHOWN_MAX]:
        table.add_row(*_row(fault, recovery_of(fault, measurement)))
    more = len(measurement.faults) - _SHOWN_MAX
    notes = [f"and {format_count(more)} more, in result.json"] if more > 0 else []
    notes += [format_feed_stall(one) for one in measurement.standstills]
    for found in measurement.outside_faults:
        if found.metric == "latency":
            percentiles = ", ".join(
                f"{name.upper()} {format_duration_fixed(value)}"
                for name, value in found.percentiles_ns.items()
            )
            notes.append(
                f"latency ({found.mode}) of {format_count(found.count)} signals outside of faults:"
                f" {percentiles}, max {format_duration_fixed(found.max_ns)}"
            )
    return Group(table, *(Text(note) for note in notes))


def recovery_of(fault: FaultFigures, measurement: FaultEffects) -> RecoveryFigures | None:
    """The recovery from a fault; None where it was not injected."""
    end_s = fault.healed_s if fault.for_s else fault.injected_s
    return next(
        (
            one
            for one in measurement.recoveries
            if (one.kind, one.at_s) == (fault.kind, end_s) and fault.target in one.what
        ),
        None,
    )


def _row(fault: FaultFigures, recovery: RecoveryFigures | None) -> tuple[str, ...]:
    start_s, proven_s, end_s = fault.injected_s, fault.proven_s, fault.heal_proven_s
    return (
        fault.name,
        "-" if start_s is None else f"{start_s:.1f} s",
        _between(start_s, proven_s),
        _between(start_s, end_s),
        format_duration_fixed(recovery.first_ns if recovery else None),
        format_duration_fixed(recovery.backlog_ns if recovery else None),
        "; ".join(filter(None, _proofs(fault))) or fault.trouble,
    )


def _proofs(fault: FaultFigures) -> tuple[str, ...]:
    answer = fault.answer
    if answer:
        answer += f" after {_between(fault.injected_s, fault.answered_s)}"
    return (fault.seen, answer, fault.seen_healed)


def _between(begin_s: float | None, end_s: float | None) -> str:
    if begin_s is None or end_s is None:
        return "never"
    return format_duration_fixed(round((end_s - begin_s) * NS_PER_S))


def format_feed_stall(one: ChainFeedStallFigures) -> str:
    """A stall of the agents' chain feed: its times, and the signals accepted and rejected."""
    parts = [
        f"feed stalled at {one.at_s:.1f} s, at block {one.block}",
        f"next block after {_seconds(one.followed_s)}",
        f"stale after {_seconds(one.stale_s)}",
        f"first rejection after {_seconds(one.first_refused_s)}",
        f"last acceptance after {_seconds(one.last_accepted_s)}"
        f" ({_seconds(one.accepted_for_s)} after the next block, {_seconds(one.within_s)} allowed)",
        f"{format_count(one.refused)} rejected, {format_count(one.accepted)} accepted before they"
        f" were stale, {format_count(one.accepted_stale)} accepted although stale",
    ]
    return "; ".join(parts)


def _seconds(value: float | None) -> str:
    return format_duration_fixed(None if value is None else round(value * NS_PER_S))
