"""`events.jsonl`: the events of a run, appended as they happen, for live views.

The judge reads events from `run.json`, which is written atomically.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from harness.evidence.run_documents import RunEvent
from harness.evidence.run_folder import RunFolder
from harness.safe_open import DOCUMENT_BYTES_MAX, iter_lines

EVENTS_FILE = "events.jsonl"


def begin_events(folder: RunFolder) -> None:
    """Create the file without events, so that its absence later is noticed.

    Raises:
        EvidenceError: it cannot be written.
    """
    folder.write_text(folder.path / EVENTS_FILE, "")


def append_event(folder: RunFolder, event: RunEvent) -> None:
    """Append an event; errors are ignored, because a full disk ends the run elsewhere."""
    with suppress(OSError), (folder.path / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write(event.model_dump_json(exclude_none=True) + "\n")


def read_events(path: Path) -> tuple[RunEvent, ...]:
    """The events in a run's folder so far; invalid and incomplete lines are skipped.

    Raises:
        RefusedError: no regular file, or beyond a limit.
    """
    events = []
    if (path / EVENTS_FILE).exists():
        for line in iter_lines(path / EVENTS_FILE, DOCUMENT_BYTES_MAX, errors="replace"):
            with suppress(ValidationError):
                events.append(RunEvent.model_validate_json(line))
    return tuple(events)
