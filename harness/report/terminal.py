"""The result of a run, as a person reads it at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.measurement import (
    ClockFigures,
    LatencyBreakdownFigures,
    Measurement,
    RateFigures,
    SignalOutcomeFigures,
)
from harness.analysis.resources.self_monitoring import HOST
from harness.formatting import format_count, format_duration_fixed, format_share_fixed
from harness.judge import agent_pool
from harness.judge.check import Check, CheckKind
from harness.judge.grade import Grade
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status, Verdict
from harness.report.faults import render_faults
from harness.report.gate import render_gate
from harness.report.headline import headline

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
# Clean checks of which the reader is told all the same: something happened that he asked for.
_INFORMATIONAL = frozenset({agent_pool.AGENT_POOL.id})


def render(measurement: Measurement, judgement: Judgement, path: Path) -> RenderableType:
    """Verdict, why, percentiles, stages, account, and where the files are."""
    parts: list[RenderableType] = [
        Text(),
        verdict_line(judgement),
        *_section("objectives", _checks(judgement, CheckKind.OBJECTIVE)),
        *_section("integrity", _checks(judgement, CheckKind.INTEGRITY)),
        *_section("validity", _validity(judgement)),
        *_section("faults", render_faults(measurement)),
        *_section("gate", render_gate(measurement.gate)),
        *_section("latency", latency_table(measurement)),
        *_section("where the time went", _stages(measurement.splits)),
        *_section("account of signals", _account(measurement)),
        *_section("grade", grade_view(judgement.grade)),
        Text(),
        Text(f"evidence and result in {path}", style="dim"),
        Text(f"judge again with: harness judge {path}", style="dim"),
    ]
    return Group(*parts)


def verdict_line(judgement: Judgement) -> Text:
    """The verdict and what decided it."""
    return Text.assemble(
        (f" {judgement.verdict.name} ", VERDICT_STYLES[judgement.verdict]),
        ("  " + headline(judgement), "bold"),
    )


def _section(title: str, body: RenderableType | None) -> Iterable[RenderableType]:
    if body is None:
        return ()
    return (Text(), Text(title, style="bold cyan"), Padding(body, (0, 0, 0, 2)))


def _checks(judgement: Judgement, kind: CheckKind) -> RenderableType | None:
    table = Table.grid(padding=(0, 2))
    for check in judgement.of(kind):
        word = "ok" if check.status.is_clean else check.status.name
        style = "green" if check.status.is_clean else "bold red"
        if check.status is Status.NOT_APPLICABLE:
            word, style = "--", "yellow"
        # As text: what happened in a run may hold brackets, which are no markup.
        table.add_row(Text(word, style=style), Text(check.name), Text(_with_examples(check)))
    return table if table.row_count else None


def _validity(judgement: Judgement) -> RenderableType:
    """What spoils the run; of a valid one only how much was looked at."""
    spoiled = [check for check in judgement.of(CheckKind.VALIDITY) if not check.status.is_clean]
    if not spoiled:
        clean = f"all {len(judgement.of(CheckKind.VALIDITY))} checks of the run itself are clean"
        told = [
            check.message
            for check in judgement.of(CheckKind.VALIDITY)
            if check.id in _INFORMATIONAL
        ]
        return Text("; ".join([clean, *told]))
    table = Table.grid(padding=(0, 2))
    for check in spoiled:
        word = Text(check.status.name, style="bold red")
        table.add_row(word, Text(check.name), Text(_with_examples(check)))
    return table


def _with_examples(check: Check) -> str:
    shown = check.examples[:_EXAMPLES_SHOWN]
    return check.message + (f" ({', '.join(shown)}, ...)" if shown else "")


def latency_table(measurement: Measurement) -> Table | None:
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


def _stages(splits: Sequence[LatencyBreakdownFigures]) -> RenderableType | None:
    shown = [split for split in splits if split.phase == "measure"]
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


def _account(measurement: Measurement) -> RenderableType:
    account = measurement.account
    lines = [
        f"{format_count(account.attempted)} attempted = {_classes(account)}",
        f"duplicated {format_count(measurement.duplicated)}   "
        f"unexpected {format_count(measurement.unexpected)}   "
        f"of other runs, left alone {format_count(measurement.foreign)}",
    ]
    if account.rejected_by:
        reasons = ", ".join(f"{name} {count}" for name, count in account.rejected_by.items())
        lines.append(f"rejected by reason: {reasons}")
    if account.stale:
        lines.append(
            f"sent stale on purpose: {format_count(account.stale)}, "
            f"of which {format_count(account.stale_rejected)} were rejected, as they should be"
        )
    if account.behind:
        lines.append(
            f"sent while a fault held their agents up, and too far behind: "
            f"{format_count(account.behind)}, "
            f"of which {format_count(account.behind_rejected)} were rejected, as they should be"
        )
    lines += [_sent(rate) for rate in measurement.rates]
    lines += [
        f"observer's resolution ({row.mode}): P99 lies between "
        f"{format_duration_fixed(row.committed_ns)} (committed)"
        f" and {format_duration_fixed(row.seen_ns)} (seen)"
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
        return f"clock of this host, wall against monotonic: {clock.probes} looks{drift}"
    ahead = ""
    if clock.ahead_ns is not None:
        way = "ahead of" if clock.ahead_ns >= 0 else "behind"
        ahead = f"{format_duration_fixed(abs(clock.ahead_ns))} {way} this host's, "
    known = f"known to +-{format_duration_fixed(clock.error_ns)}"
    return f"clock of {clock.server}: {ahead}{known}{drift}; probes: {probes}"


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
    """The level, and what stands in the way of a sign-off."""
    lines = [Text(grade.level, style="bold"), *(Text(f"- {reason}") for reason in grade.reasons)]
    return Group(*lines)
