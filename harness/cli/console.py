"""Where results are printed."""

from __future__ import annotations

import io
import sys

from rich.console import Console

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
