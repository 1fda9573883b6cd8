"""Progress of a run under way: a live panel on a terminal, plain lines in a pipe.

A run uses it for itself, and `harness watch` for a run of another shell.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.clock import NS_PER_S
from harness.formatting import format_count, format_duration_fixed, format_rate, format_share_fixed
from harness.run.live.summary import Percentiles, ServiceUsage
from harness.run.parts import Progress

# Interval of lines in a pipe: a five-minute run is about a page.
PLAIN_EVERY_NS = 5 * NS_PER_S
_EVENTS_SHOWN = 3
_SERVICES_SHOWN = 6
_BAR_MAX = 48
# From this age on, a plain line includes the oldest open signal.
_OLD_NS = NS_PER_S
# From this share on a service is near its quota.
_BUSY_SHARE = 0.8


class ProgressView:
    """Shows snapshots of a run; a context manager that restores the terminal at its end.

    Args:
        console: the output.
        plain_every_ns: interval of lines in a pipe.
    """

    def __init__(self, console: Console, plain_every_ns: int = PLAIN_EVERY_NS) -> None:
        self._console = console
        self._plain_every_ns = plain_every_ns
        self._live = Live(console=console, auto_refresh=False) if _is_live(console) else None
        self._plain_due_ns = 0
        self._plain_phase = ""
        self._events_shown = 0

    def __enter__(self) -> ProgressView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def print_line(self, line: str) -> None:
        """One line about a step of the run."""
        self._console.print(Text(line, style="dim"), soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """Show a snapshot."""
        if self._live is not None:
            self._live.update(panel(progress, self._console.width), refresh=True)
            return
        for event in progress.events[self._events_shown :]:
            self._console.print(f"! {event.what}", markup=False, highlight=False, soft_wrap=True)
        self._events_shown = len(progress.events)
        if progress.phase != self._plain_phase or progress.elapsed_ns >= self._plain_due_ns:
            self._plain_phase = progress.phase
            self._plain_due_ns = progress.elapsed_ns + self._plain_every_ns
            self._console.print(plain_line(progress), markup=False, highlight=False, soft_wrap=True)


def plain_line(progress: Progress) -> str:
    """A snapshot on one line."""
    latency = progress.summary.latency
    line = (
        f"{progress.elapsed_ns / NS_PER_S:5.0f} s  {progress.phase:<8}"
        f"  sent {format_count(progress.sent)}"
        f"  rate {format_rate(progress.rate_sent)} of {format_rate(progress.rate_intended)}"
        f"  P50 {format_duration_fixed(latency.p50_ns)}"
        f"  P99 {format_duration_fixed(latency.p99_ns)}"
        f"  backlog {format_count(progress.backlog)}"
        f"  agents {progress.agents}"
    )
    if (oldest_ns := progress.summary.oldest_open_ns) is not None and oldest_ns > _OLD_NS:
        line += f"  oldest {format_duration_fixed(oldest_ns)}"
    if rejected := progress.summary.final - progress.summary.simulated:
        line += f"  rejected {format_count(rejected)}"
    if progress.refused:
        line += f"  refused {format_count(progress.refused)}"
    if progress.usage:
        line += f"  {_usage_text(progress.usage[0])}"
    return line


def panel(progress: Progress, width: int) -> Group:
    """A snapshot as a small table under a bar, for a terminal of this width in columns."""
    head = Text.assemble(
        (f" {progress.phase} ", "bold reverse"),
        f"  {progress.elapsed_ns / NS_PER_S:.0f} of {progress.total_ns / NS_PER_S:.0f} s",
        _left_text(progress),
        f"  {progress.agents} agents",
    )
    bar = Table.grid()  # a bar by itself does not end its line
    bar.add_row(
        ProgressBar(
            total=max(1, progress.total_ns),
            completed=min(progress.elapsed_ns, progress.total_ns),
            width=max(1, min(_BAR_MAX, width - 1)),
        )
    )
    table = Table.grid(padding=(0, 3 if width > _BAR_MAX else 1))
    for name, text, style in _rows(progress):
        table.add_row(name, Text(text, style=style))
    events = [Text(f"! {event.what}", style="yellow") for event in progress.events[-_EVENTS_SHOWN:]]
    return Group(head, bar, table, *events)


def _rows(progress: Progress) -> list[tuple[str, str, str]]:
    """Name, figures and style of each row."""
    summary = progress.summary
    signals = [f"{format_count(progress.due)} due", f"{format_count(progress.sent)} sent"]
    signals += [
        f"{format_count(progress.accepted)} accepted",
        f"{format_count(summary.final)} final",
    ]
    rows = [
        ("signals", ", ".join(signals), ""),
        (
            "rate",
            f"{format_rate(progress.rate_sent)} of {format_rate(progress.rate_intended)} due",
            "",
        ),
        ("latency", _percentiles_text(summary.latency) + "   so far", ""),
    ]
    if len(summary.by_mode) > 1:
        rows += [(f"  {mode}", _percentiles_text(own), "") for mode, own in summary.by_mode]
    rows.append(
        (
            "lateness",
            f"{format_duration_fixed(progress.lateness_max_ns)} at most in the last second",
            "",
        )
    )
    rows.append(("backlog", _backlog_text(progress), ""))
    problems = {
        "rejected": summary.final - summary.simulated,
        "refused": progress.refused,
        "unanswered": progress.unknown,
    }
    rows += [(name, format_count(count), "yellow") for name, count in problems.items() if count]
    for number, usage in enumerate(progress.usage[:_SERVICES_SHOWN]):
        style = "yellow" if _cpu_share(usage) >= _BUSY_SHARE else ""
        rows.append(("" if number else "cpu", _usage_text(usage), style))
    return rows


def _left_text(progress: Progress) -> str:
    """How long the load goes on; nothing once it is over."""
    left_ns = progress.total_ns - progress.elapsed_ns
    if left_ns <= 0 or progress.phase in {"drain", "finish"}:
        return ""
    text = f"  {'at most ' if progress.may_end_early else ''}"
    return f"{text}{_minutes_text(left_ns)} left"


def time_left(ended: int, total: int, elapsed_ns: int) -> str:
    """About how long the rest of several equal runs takes, to follow a text; empty at first."""
    if ended <= 0:
        return ""
    return f", about {_minutes_text(elapsed_ns * (total - ended) / ended)} left"


def _minutes_text(duration_ns: float) -> str:
    minutes, seconds = divmod(math.ceil(duration_ns / NS_PER_S), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _percentiles_text(percentiles: Percentiles) -> str:
    p50, p99 = (format_duration_fixed(value) for value in (percentiles.p50_ns, percentiles.p99_ns))
    return f"P50 {p50}   P99 {p99}"


def _backlog_text(progress: Progress) -> str:
    text = format_count(progress.backlog)
    oldest_ns = progress.summary.oldest_open_ns
    # Refused signals never become final, so the oldest may be one of them.
    if oldest_ns is None or progress.refused or not progress.backlog:
        return text
    return f"{text}, the oldest due {format_duration_fixed(oldest_ns)} ago"


def _usage_text(usage: ServiceUsage) -> str:
    cores = "-" if usage.cpu_cores is None else f"{usage.cpu_cores:.2f}"
    if usage.cpu_limit_cores is None:
        return f"{usage.name} {cores} cores"
    share = format_share_fixed(_cpu_share(usage))
    return f"{usage.name} {cores} of {usage.cpu_limit_cores:g} cores ({share})"


def _cpu_share(usage: ServiceUsage) -> float:
    limit = usage.cpu_limit_cores
    return 0.0 if not limit else (usage.cpu_cores or 0.0) / limit


def _is_live(console: Console) -> bool:
    # The output of a CI that forces colours is no terminal: it cannot be redrawn. A CI with a
    # terminal keeps every redrawn line in its log, and who asks for no colour gets plain lines.
    is_plain = console.no_color or console.is_dumb_terminal or _is_ci(os.environ)
    return console.is_terminal and not is_plain and console.file.isatty()


def _is_ci(environ: Mapping[str, str]) -> bool:
    return environ.get("CI", "").lower() not in {"", "0", "false"}
