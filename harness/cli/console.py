"""Where results are printed."""

from __future__ import annotations

from rich.console import Console

# A pipe has no width; a log or a CI page shows this much without wrapping.
PIPE_WIDTH = 120


def make_console() -> Console:
    """The terminal, or a pipe that does not wrap early."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
