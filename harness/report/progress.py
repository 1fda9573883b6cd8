"""A run under way: a panel that lives on a terminal, plain lines when piped."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.clock import NS_PER_S
from harness.parts import Progress
from harness.report.units import count_text, duration_text, rate_text

# A pipe gets a line this often, so that a five-minute run is a page and not a book.
PLAIN_EVERY_NS = 5 * NS_PER_S
_EVENTS_SHOWN = 3


class ProgressView:
    """Shows snapshots of a run; a context manager that gives the terminal back at its end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._plain_due_ns = 0
        self._plain_phase = ""
        self._events_told = 0

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

    def say(self, line: str) -> None:
        """One line about a step of the run."""
        self._console.print(Text(line, style="dim"))

    def show(self, progress: Progress) -> None:
        """Show a snapshot."""
        if self._live is not None:
            self._live.update(panel(progress), refresh=True)
            return
        for event in progress.events[self._events_told :]:
            self._console.print(f"! {event.what}", markup=False, highlight=False, soft_wrap=True)
        self._events_told = len(progress.events)
        if progress.phase != self._plain_phase or progress.elapsed_ns >= self._plain_due_ns:
            self._plain_phase = progress.phase
            self._plain_due_ns = progress.elapsed_ns + PLAIN_EVERY_NS
            self._console.print(plain_line(progress), markup=False, highlight=False, soft_wrap=True)


def plain_line(progress: Progress) -> str:
    """A snapshot on one line."""
    return (
        f"{progress.elapsed_ns / NS_PER_S:5.0f} s  {progress.phase:<8}"
        f"  sent {count_text(progress.sent)}"
        f"  rate {rate_text(progress.rate_sent)} of {rate_text(progress.rate_intended)}"
        f"  P50 {duration_text(progress.seen.latency.p50_ns)}"
        f"  P99 {duration_text(progress.seen.latency.p99_ns)}"
        f"  backlog {count_text(progress.backlog)}"
        f"  agents {progress.agents}"
    )


def panel(progress: Progress) -> Group:
    """A snapshot as a small table under a bar."""
    bar = ProgressBar(
        total=max(1, progress.total_ns),
        completed=min(progress.elapsed_ns, progress.total_ns),
        width=48,
    )
    head = Text.assemble(
        (f" {progress.phase} ", "bold reverse"),
        f"  {progress.elapsed_ns / NS_PER_S:.0f} of {progress.total_ns / NS_PER_S:.0f} s",
        f"  {progress.agents} agents",
    )
    table = Table.grid(padding=(0, 3))
    table.add_row(
        "signals", f"{count_text(progress.sent)} sent, {count_text(progress.seen.final)} final"
    )
    table.add_row(
        "rate", f"{rate_text(progress.rate_sent)} of {rate_text(progress.rate_intended)} intended"
    )
    table.add_row(
        "latency",
        f"P50 {duration_text(progress.seen.latency.p50_ns)}   "
        f"P99 {duration_text(progress.seen.latency.p99_ns)}   so far",
    )
    table.add_row(
        "lateness", f"{duration_text(progress.lateness_max_ns)} at most in the last second"
    )
    table.add_row("backlog", count_text(progress.backlog))
    if progress.refused:
        table.add_row("refused", count_text(progress.refused), style="yellow")
    events = [Text(f"! {event.what}", style="yellow") for event in progress.events[-_EVENTS_SHOWN:]]
    return Group(head, bar, table, *events)
