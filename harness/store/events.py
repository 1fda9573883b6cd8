"""`events.jsonl`: what happened in a run, line by line as it happens, for those who watch it.

The judge takes events from `run.json`, which is written whole.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from harness.store.facts import RunEvent
from harness.store.folder import RunFolder

EVENTS_FILE = "events.jsonl"


def append_event(folder: RunFolder, kind: str, what: str, mono_ns: int) -> None:
    """Add an event; a disk that takes nothing more ends the run elsewhere."""
    event = RunEvent(kind=kind, what=what, mono_ns=mono_ns)
    with suppress(OSError), (folder.path / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(event.model_dump()) + "\n")


def read_events(path: Path) -> tuple[RunEvent, ...]:
    """The events of a run's folder so far; lines that are no events, or no whole ones, are none."""
    try:
        lines = (path / EVENTS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    events = []
    for line in lines:
        with suppress(ValidationError):
            events.append(RunEvent.model_validate_json(line))
    return tuple(events)
