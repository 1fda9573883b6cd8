"""The start of a stack as plain lines, one for each event."""

from __future__ import annotations

from harness.clock import NS_PER_S
from harness.stack.startup import StartupEvent, StartupStep

_MB = 1_000_000


def startup_line(event: StartupEvent) -> str:
    """An event on one line: `image redis:7.2-alpine: pulled, 12.4 MB in 3.1 s`."""
    after = f"{event.elapsed_ns / NS_PER_S:.1f} s"
    match event.step:
        case StartupStep.NOTE:
            return event.subject
        case StartupStep.IMAGE_PRESENT:
            return f"  image {event.subject}: present"
        case StartupStep.PULLING:
            return f"  image {event.subject}: pulling{_so_far(event)}"
        case StartupStep.PULLED:
            size = f", {_mb(event.done_bytes)} MB" if event.done_bytes else ""
            return f"  image {event.subject}: pulled{size} in {after}"
        case StartupStep.BUILDING:
            return f"  image {event.subject}: building" + (
                f", {after} so far" if event.elapsed_ns else ""
            )
        case StartupStep.BUILT:
            return f"  image {event.subject}: built in {after}"
        case StartupStep.STARTED:
            return f"  {event.subject}: started"
        case StartupStep.READY:
            return f"  {event.subject}: ready after {after}"


def _so_far(event: StartupEvent) -> str:
    if not event.elapsed_ns:
        return ""
    size = ""
    if event.total_bytes:
        size = f", {_mb(event.done_bytes)} of {_mb(event.total_bytes)} MB"
    return f"{size} after {event.elapsed_ns / NS_PER_S:.0f} s"


def _mb(size: int) -> str:
    return f"{size / _MB:,.1f}"
