"""The account of signals: each ended in exactly one class, and the classes sum to all of them."""

from __future__ import annotations

from harness.analysis.measurement import Measurement, SignalOutcomeFigures
from harness.formatting import format_count, format_share_fixed
from harness.report.html.components import AccountView, Table
from harness.report.html.formatting import format_duration_html

_CLASSES: tuple[tuple[str, str], ...] = (
    ("simulated", "reached SIMULATED"),
    ("rejected", "refused by the engine, with a reason"),
    ("lost", "accepted by Redis and never final: a broken promise"),
    ("in_flight", "not final when the watching ended"),
    ("refused", "not taken by Redis"),
    ("recovered", "Redis's answer is unknown, and it was seen later"),
)


def account_view(measurement: Measurement) -> AccountView:
    """The account of all phases, and of each."""
    account = measurement.account
    total = account.attempted
    bad = account.lost + account.in_flight + account.refused
    message = (
        f"{format_count(total)} signals were attempted; {format_count(account.simulated)} reached"
        f" SIMULATED, {format_count(account.rejected)} were rejected"
        f" and {format_count(bad)} were lost, in flight or refused."
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


def _classes(measurement: Measurement) -> Table:
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
    words = {"warmup": "warm-up", "measure": "measured"}
    heads = ("class", "all", *(words[phase] for phase in phases), "share of all")
    return Table.of("What became of every signal", heads, rows)


def _reasons(account: SignalOutcomeFigures) -> Table:
    rows = [(reason, format_count(count)) for reason, count in account.rejected_by.items()]
    return Table.of("Rejected signals by the engine's reason", ("reason", "signals"), rows)


def _notes(measurement: Measurement) -> list[str]:
    account = measurement.account
    notes = [
        f"Counted apart: {format_count(measurement.duplicated)} duplicated (more than one effect),"
        f" {format_count(measurement.unexpected)} unexpected (final, never attempted),"
        f" {format_count(measurement.foreign)} of other runs, left alone."
    ]
    if account.stale:
        notes.append(
            f"{format_count(account.stale)} signals were sent stale on purpose, of which"
            f" {format_count(account.stale_rejected)} were rejected, as they should be."
        )
    if account.behind:
        notes.append(
            f"{format_count(account.behind)} signals were sent while a fault held their agents up,"
            f" and lay too far behind, of which {format_count(account.behind_rejected)} were"
            " rejected, as they should be."
        )
    notes += [
        f"The truth of P99 ({row.mode}) lies between {format_duration_html(row.committed_ns)} (committed)"
        f" and {format_duration_html(row.seen_ns)} (seen, judged): the observer's resolution."
        for row in measurement.resolution
        if row.phase == "measure" and row.name == "p99"
    ]
    return notes
