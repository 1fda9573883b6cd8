"""The result of a run, for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.measurement import (
    ClockFigures,
    Durations,
    Measurement,
    RateFigures,
    SignalCounts,
    SignalOutcomeFigures,
)
from harness.analysis.resources.self_monitoring import HOST
from harness.formatting import format_count, format_duration_fixed, format_share_fixed
from harness.judge import agent_pool
from harness.judge.check import Check, CheckKind
from harness.judge.grade import Grade
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status, Verdict
from harness.language import tr
from harness.report.faults import faults_section
from harness.report.gate import gate_section
from harness.report.headline import headline
from harness.report.scale_out import scale_out_section
from harness.report.stages import ROWS_MAX, STAGE_HEADS, left_out, stage_rows

PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99")
METRICS = ("latency", "lateness", "service")
VERDICT_STYLES = {
    Verdict.PASS: "bold white on green",
    Verdict.FAIL: "bold white on red",
    Verdict.INVALID: "bold white on magenta",
    Verdict.INCONCLUSIVE: "bold black on yellow",
}
_STAGE_BAR = 24
_EXAMPLES_SHOWN = 3
# Checks whose message is shown although they pass: they report an event that the user asked for.
_INFORMATIONAL = frozenset({agent_pool.AGENT_POOL.id})


def render(measurement: Measurement, judgement: Judgement, path: Path) -> RenderableType:
    """Verdict, every section that has content, and the evidence folder."""
    parts: list[RenderableType] = [Text(), verdict_line(judgement)]
    for title, draw in SECTIONS:
        body = draw(measurement, judgement)
        if body is not None:
            parts += [Text(), Text(tr(title), style="bold cyan"), Padding(body, (0, 0, 0, 2))]
    return Group(
        *parts,
        Text(),
        Text(f"evidence and result in {path}", style="dim"),
        Text(f"judge again with: harness judge {path}", style="dim"),
    )


def verdict_line(judgement: Judgement) -> Text:
    """The verdict and the message of the deciding check."""
    return Text.assemble(
        (f" {judgement.verdict.name} ", VERDICT_STYLES[judgement.verdict]),
        ("  " + headline(judgement), "bold"),
    )


def _objectives(_: Measurement, judgement: Judgement) -> RenderableType | None:
    return _checks(judgement, CheckKind.OBJECTIVE)


def _integrity(_: Measurement, judgement: Judgement) -> RenderableType | None:
    return _checks(judgement, CheckKind.INTEGRITY)


def _checks(judgement: Judgement, kind: CheckKind) -> RenderableType | None:
    table = Table.grid(padding=(0, 2))
    for check in judgement.of(kind):
        status = "ok" if check.status.is_clean else check.status.name
        style = "green" if check.status.is_clean else "bold red"
        if check.status is Status.NOT_APPLICABLE:
            status, style = "--", "yellow"
        # As text: names from a run may hold brackets, which are no markup.
        table.add_row(Text(status, style=style), Text(tr(check.name)), Text(_with_examples(check)))
    return table if table.row_count else None


def _validity(_: Measurement, judgement: Judgement) -> RenderableType:
    """The validity checks that do not pass; of a valid run only their number."""
    failed = [check for check in judgement.of(CheckKind.VALIDITY) if not check.status.is_clean]
    if not failed:
        count = f"all {len(judgement.of(CheckKind.VALIDITY))} validity checks pass"
        messages = [
            check.message
            for check in judgement.of(CheckKind.VALIDITY)
            if check.id in _INFORMATIONAL
        ]
        return Text("; ".join([count, *messages]))
    table = Table.grid(padding=(0, 2))
    for check in failed:
        status = Text(check.status.name, style="bold red")
        table.add_row(status, Text(tr(check.name)), Text(_with_examples(check)))
    return table


def _with_examples(check: Check) -> str:
    shown = check.examples[:_EXAMPLES_SHOWN]
    return check.message + (f" ({', '.join(shown)}, ...)" if shown else "")


def _latency(measurement: Durations, _: Judgement) -> Table | None:
    """Percentiles of the measure phase, one row for each mode and metric."""
    names = [
        name
        for name in PERCENTILES
        if any(name in f.percentiles_ns for f in measurement.figures if f.phase == "measure")
    ]
    heads = ("", *(name.upper() for name in names), "max", "mean", "signals")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    modes = sorted({f.mode for f in measurement.figures if f.phase == "measure"})
    for mode in modes:
        for metric in METRICS:
            found = measurement.of(metric, "measure", mode)
            if found is None or found.count == 0:
                continue
            table.add_row(
                f"{metric} ({mode})" if len(modes) > 1 else metric,
                *(format_duration_fixed(found.percentiles_ns.get(name)) for name in names),
                format_duration_fixed(found.max_ns),
                format_duration_fixed(found.mean_ns),
                format_count(found.count),
            )
    return table if table.row_count else None


def _stages(measurement: SignalCounts, _: Judgement) -> RenderableType | None:
    """What each stage of the load asked for and got."""
    rows = stage_rows(measurement)
    if not rows:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(STAGE_HEADS):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in rows[:ROWS_MAX]:
        # As text: a name of a stored result may hold brackets, which are no markup.
        table.add_row(*map(Text, row))
    note = left_out(len(rows))
    return Group(table, Text(note, style="dim")) if note else table


def _breakdown(measurement: Durations, _: Judgement) -> RenderableType | None:
    shown = [split for split in measurement.splits if split.phase == "measure"]
    if not shown:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(("stage", "mean", "P50", "P99", "share of the mean")):
        table.add_column(head, justify="right" if 0 < number < 4 else "left")
    notes: list[str] = []
    for split in shown:
        for stage in split.stages:
            share = stage.sum_ns / split.total_sum_ns if split.total_sum_ns else 0.0
            name = f"{stage.start} -> {stage.end}"
            table.add_row(
                f"{name} ({split.mode})" if len(shown) > 1 else name,
                format_duration_fixed(stage.sum_ns / split.count),
                format_duration_fixed(stage.p50_ns),
                format_duration_fixed(stage.p99_ns),
                Text("█" * max(0, round(share * _STAGE_BAR)) + f" {format_share_fixed(share)}"),
            )
        notes += [note for note in split.notes if note not in notes]
    return Group(table, *(Text(note, style="dim") for note in notes))


def _account(measurement: Measurement, _: Judgement) -> RenderableType:
    account = measurement.account
    lines = [
        f"{format_count(account.attempted)} attempted = {_classes(account)}",
        f"duplicated {format_count(measurement.duplicated)}   "
        f"unexpected {format_count(measurement.unexpected)}   "
        f"of other runs (ignored) {format_count(measurement.foreign)}",
    ]
    if account.rejected_by:
        reasons = ", ".join(f"{name} {count}" for name, count in account.rejected_by.items())
        lines.append(f"rejected by reason: {reasons}")
    if account.stale:
        lines.append(
            f"sent stale on purpose: {format_count(account.stale)}, "
            f"{format_count(account.stale_rejected)} of them rejected as required"
        )
    if account.behind:
        lines.append(
            f"sent stale during a feed stall: {format_count(account.behind)}, "
            f"{format_count(account.behind_rejected)} of them rejected as required"
        )
    lines += [_sent(rate) for rate in measurement.rates]
    lines += [
        f"observer resolution ({row.mode}): P99 is between"
        f" {format_duration_fixed(row.committed_ns)} (commit time)"
        f" and {format_duration_fixed(row.seen_ns)} (observed)"
        for row in measurement.resolution
        if row.phase == "measure" and row.name == "p99"
    ]
    lines += [_clock(clock) for clock in measurement.clocks]
    return Text("\n".join(lines))


def _clock(clock: ClockFigures) -> str:
    probes = f"{clock.before} before, {clock.during} during, {clock.after} after the load"
    drift = (
        ""
        if clock.drift_ppm is None
        else f", drift {clock.drift_ppm:+.2f} ppm +-{clock.drift_error_ppm:.2f}"
    )
    if clock.server == HOST:
        samples = f"{clock.probes} samples"
        return f"wall clock of this host against its monotonic clock: {samples}{drift}"
    offset = "offset to this host "
    if clock.ahead_ns is not None:
        offset += f"{format_duration_fixed(clock.ahead_ns)} "
    error = f"+-{format_duration_fixed(clock.error_ns)}"
    return f"clock of {clock.server}: {offset}{error}{drift}; probes: {probes}"


def _sent(rate: RateFigures) -> str:
    intended = "?" if rate.intended is None else format_count(rate.intended)
    share = "" if rate.share is None else f" ({format_share_fixed(rate.share)})"
    return (
        f"{rate.phase}: {format_count(rate.in_phase)} of {intended} intended signals sent "
        f"in {rate.duration_s:.0f} s{share}"
    )


def _classes(account: SignalOutcomeFigures) -> str:
    classes = {
        "simulated": account.simulated,
        "rejected": account.rejected,
        "lost": account.lost,
        "in flight": account.in_flight,
        "refused": account.refused,
        "recovered": account.recovered,
    }
    return " + ".join(f"{format_count(count)} {name}" for name, count in classes.items())


def grade_view(grade: Grade) -> RenderableType:
    """The level, and what prevents a sign-off."""
    lines = [
        Text(tr(grade.level), style="bold"),
        *(Text(f"- {reason}") for reason in grade.reasons),
    ]
    return Group(*lines)


def _grade(_: Measurement, judgement: Judgement) -> RenderableType:
    return grade_view(judgement.grade)


# Title and content of each section; one without content is left out.
SECTIONS: tuple[tuple[str, Callable[[Measurement, Judgement], RenderableType | None]], ...] = (
    ("objectives", _objectives),
    ("integrity", _integrity),
    ("validity", _validity),
    ("faults", faults_section),
    ("gate", gate_section),
    ("scale-out", scale_out_section),
    ("latency", _latency),
    ("stages of the load", _stages),
    ("latency breakdown", _breakdown),
    ("signal outcomes", _account),
    ("grade", _grade),
)
