"""Events of a stack's start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class StartupStep(StrEnum):
    """What has happened to an image or a service."""

    IMAGE_PRESENT = "image present"
    PULLING = "pulling"
    PULLED = "pulled"
    BUILDING = "building"
    BUILT = "built"
    STARTED = "started"
    READY = "ready"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class StartupEvent:
    """One event of a start.

    Attributes:
        subject: name of the image or service; of a note the whole sentence.
        elapsed_ns: since the first event of the same subject; 0 at that one.
        done_bytes: what was downloaded so far; 0 where the registry does not report it.
        total_bytes: what there is to download, as far as it is known yet.
    """

    step: StartupStep
    subject: str
    elapsed_ns: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


# May be called from several threads at once.
StartupSink = Callable[[StartupEvent], None]


def ignore_event(event: StartupEvent) -> None:
    """The sink of those who want to hear nothing."""
    del event
