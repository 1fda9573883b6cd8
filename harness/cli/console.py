"""Where results are printed."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.printable import printable
from harness.report.startup import startup_line
from harness.stack.startup import StartupEvent, StartupSink

# A pipe has no width; a log or a CI page shows this much without wrapping.
PIPE_WIDTH = 120


class SafeConsole(Console):
    """A console on which text is text: no markup in it is obeyed, and no control character."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What everything that is printed comes through; the console's own controls stay."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def make_console(*, stderr: bool = False) -> Console:
    """The terminal, or a pipe that does not wrap early."""
    # A terminal that cannot show a sign shows another; the verdict must not depend on it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = SafeConsole(stderr=stderr)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_line(console: Console, text: str) -> None:
    """Print one line as it is, however long."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def startup_sink(console: Console) -> StartupSink:
    """A sink that prints each event of a start on a line of its own."""

    def show(event: StartupEvent) -> None:
        print_line(console, startup_line(event))

    return show
