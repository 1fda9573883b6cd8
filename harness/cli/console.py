"""Where results are printed."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from harness.printable import printable
from harness.report.startup import startup_line
from harness.stack.startup import StartupEvent, StartupSink

# A pipe has no width; a log or a CI page shows this much without wrapping.
PIPE_WIDTH = 120


class SafeConsole(Console):
    """A console on which text is text: no markup in it is obeyed, and no control character."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print; on a terminal a line of text with `soft_wrap` breaks at spaces, never in a word.

        A pipe gets such a line whole. `no_wrap` keeps it whole on a terminal too: a command that
        is copied has to stay one line.
        """
        if soft_wrap and is_interactive(self) and not options.get("no_wrap"):
            objects = tuple(
                broken_at_spaces(Text(one) if isinstance(one, str) else one, self.width)
                if isinstance(one, str | Text)
                else one
                for one in objects
            )
        super().print(*objects, soft_wrap=soft_wrap, **options)

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
    if not is_interactive(console):
        console.width = PIPE_WIDTH
    return console


def is_interactive(console: Console) -> bool:
    """Whether it is a terminal; a pipe of a CI that forces colours is none."""
    return console.is_terminal and console.file.isatty()


def broken_at_spaces(text: Text, width: int) -> Text:
    """A text whose lines break at spaces; a word longer than a line, such as a path, stays whole.

    A continued line is indented by two columns more than the line that it continues.
    """
    return Text("\n").join(_broken_line(line, width) for line in text.split(allow_blank=True))


def _broken_line(line: Text, width: int) -> Text:
    indent = " " * (len(line.plain) - len(line.plain.lstrip()) + 2)
    parts: list[Text] = []
    rest, start = line, len(indent) - 2
    while cell_len(rest.plain) > width:
        spaces = [at for at, sign in enumerate(rest.plain) if sign == " " and at > start]
        fitting = [at for at in spaces if cell_len(rest.plain[:at]) <= width]
        if not spaces:
            break
        at = fitting[-1] if fitting else spaces[0]
        parts.append(rest[:at])
        rest, start = Text.assemble(indent, rest[at + 1 :]), len(indent)
    return Text("\n").join([*parts, rest])


def print_line(console: Console, text: str) -> None:
    """Print one line; a terminal breaks it at spaces, a pipe gets it as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def startup_sink(console: Console) -> StartupSink:
    """A sink that prints each event of a start on a line of its own."""

    def show(event: StartupEvent) -> None:
        print_line(console, startup_line(event))

    return show
