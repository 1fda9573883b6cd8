"""Where results are printed."""

from __future__ import annotations

import io
import sys

from rich.console import Console

from harness.report.startup import startup_line
from harness.stack.startup import StartupEvent, StartupSink

# A pipe has no width; a log or a CI page shows this much without wrapping.
PIPE_WIDTH = 120


def make_console() -> Console:
    """The terminal, or a pipe that does not wrap early."""
    # A terminal that cannot show a sign shows another; the verdict must not depend on it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def shown_on(console: Console) -> StartupSink:
    """A sink that prints each event of a start on a line of its own."""

    def show(event: StartupEvent) -> None:
        console.print(startup_line(event), markup=False, highlight=False, soft_wrap=True)

    return show
