"""The outcome of every signal: each has exactly one class, and the classes sum to all signals."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.measurement import Measurement, SignalCounts, SignalOutcomeFigures
from harness.formatting import format_count, format_share_fixed
from harness.report.data import ReportData
from harness.report.html.components import Section, Table
from harness.report.html.formatting import format_duration_html
from harness.report.html.run_timeline import RunTimeline

_CLASSES: tuple[tuple[str, str], ...] = (
    ("simulated", "reached SIMULATED"),
    ("rejected", "rejected by the engine, with a reason"),
    ("lost", "accepted by Redis and never final"),
    ("in_flight", "not final at the end of the observation"),
    ("refused", "not accepted by Redis"),
    ("recovered", "Redis's answer is unknown, and it was observed later"),
)


@dataclass(frozen=True, slots=True)
class AccountView:
    """Content of the section.

    Attributes:
        message: the outcomes in a sentence.
        bar: share (0 to 100), key and name of each class that has signals, for the bar.
    """

    message: str
    bar: tuple[tuple[float, str, str], ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def account_section(data: ReportData, _: RunTimeline) -> Section:
    """The outcome of every signal."""
    return Section(
        "signals",
        "Signal outcomes",
        "Every signal has exactly one outcome. Latency includes signals that never became final.",
        template="account.html.j2",
        content=account_view(data.measurement),
    )


def account_view(measurement: Measurement) -> AccountView:
    """The outcomes of all phases, and of each."""
    account = measurement.account
    total = account.attempted
    missing = account.lost + account.in_flight + account.refused
    message = (
        f"{format_count(total)} signals were attempted; {format_count(account.simulated)} reached"
        f" SIMULATED, {format_count(account.rejected)} were rejected"
        f" and {format_count(missing)} were lost, in flight or refused."
    )
    bar = tuple(
        (100 * _of(account, name) / total, name, name.replace("_", " "))
        for name, _ in _CLASSES
        if total and _of(account, name)
    )
    tables = [_classes(measurement)]
    if account.rejected_by:
        tables.append(_reasons(account))
    return AccountView(message, bar, tuple(tables), tuple(_notes(measurement)))


def _of(account: SignalOutcomeFigures, name: str) -> int:
    value = getattr(account, name)
    return value if isinstance(value, int) else 0


def _classes(measurement: SignalCounts) -> Table:
    phases = [p for p in ("warmup", "measure") if p in measurement.accounts]
    accounts = [measurement.account, *(measurement.accounts[phase] for phase in phases)]
    total = measurement.account.attempted
    rows = [
        (
            f"{name.replace('_', ' ')}: {meaning}",
            *(format_count(_of(account, name)) for account in accounts),
            format_share_fixed(_of(measurement.account, name) / total) if total else "-",
        )
        for name, meaning in _CLASSES
    ]
    rows.append(("attempted: the sum", *(format_count(a.attempted) for a in accounts), "100 %"))
    names = {"warmup": "warm-up", "measure": "measured"}
    heads = ("class", "all", *(names[phase] for phase in phases), "share of all")
    return Table.of("Signals by outcome", heads, rows)


def _reasons(account: SignalOutcomeFigures) -> Table:
    rows = [(reason, format_count(count)) for reason, count in account.rejected_by.items()]
    return Table.of("Rejected signals by the engine's reason", ("reason", "signals"), rows)


def _notes(measurement: Measurement) -> list[str]:
    account = measurement.account
    notes = [
        f"Not in these classes: {format_count(measurement.duplicated)} duplicated (more than one"
        f" effect), {format_count(measurement.unexpected)} unexpected (final, never attempted),"
        f" {format_count(measurement.foreign)} of other runs (ignored)."
    ]
    if account.stale:
        notes.append(
            f"{format_count(account.stale)} signals were sent stale on purpose;"
            f" {format_count(account.stale_rejected)} of them were rejected as required."
        )
    if account.behind:
        notes.append(
            f"{format_count(account.behind)} signals were sent stale during a feed stall;"
            f" {format_count(account.behind_rejected)} of them were rejected as required."
        )
    notes += [
        f"Observer resolution: P99 ({row.mode}) is between {format_duration_html(row.committed_ns)}"
        f" (commit time) and {format_duration_html(row.seen_ns)} (observed, judged)."
        for row in measurement.resolution
        if row.phase == "measure" and row.name == "p99"
    ]
    return notes
