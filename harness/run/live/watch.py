"""Watching a run until it has ended."""

from __future__ import annotations

from collections.abc import Callable

from harness.clock import NS_PER_S, Clock
from harness.run.live.run_view import RunSource, RunView
from harness.run.parts import ProgressSink

POLL_EVERY_NS = NS_PER_S
# Longer than any load may last: a week, and what comes before and after it.
_LOOKS_MAX = 8 * 86_400


def watch(
    window: RunSource, clock: Clock, show: ProgressSink, say: Callable[[str], None]
) -> RunView:
    """Show what is seen, once a second.

    Args:
        window: where the run is seen.
        clock: waits between looks.
        show: takes pictures.
        say: takes sentences, each once.

    Returns:
        The last look; it has not ended only if eight days were not enough.

    Raises:
        UsageError: there is no run to be seen.
    """
    said = ""
    look = RunView()
    for _ in range(_LOOKS_MAX):
        look = window.poll()
        if look.message not in ("", said):
            said = look.message
            say(said)
        if look.progress is not None:
            show(look.progress)
        if look.ended:
            return look
        clock.sleep_ns(POLL_EVERY_NS)
    return look
