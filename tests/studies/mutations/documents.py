"""Ways to tamper with what the documents of a stored run tell of its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.evidence.run_folder import RunFolder
from tests.fuzz.hostile import edit


def delete_event(folder: RunFolder) -> None:
    """`run.json` tells of no event any more."""
    edit(folder.run, lambda document: document["events"].clear())


def add_event(folder: RunFolder) -> None:
    """A person is said to have broken the run off, which makes it INCONCLUSIVE."""
    event = {"kind": "interrupted", "what": "made up", "mono_ns": 1}
    edit(folder.run, lambda document: document["events"].append(event))


def delete_everywhere(folder: RunFolder) -> None:
    """No file tells of an event any more."""
    delete_event(folder)
    (folder.path / "events.jsonl").unlink()


def count_restarts(folder: RunFolder) -> None:
    """The stack counts restarts that no event tells of."""
    services = {"engine": {"restarts": 2}}
    edit(folder.stack, lambda document: document.update(services=services))


def count_restarts_attached(folder: RunFolder) -> None:
    """The same of a system that ran already."""
    edit(folder.stack, lambda document: document.update(restarts={"postgres": 1, "redis": 0}))


def end_swarm_with_error(folder: RunFolder) -> None:
    """A process of the swarm ended before its time."""
    with folder.swarm_status.open("a", encoding="utf-8") as file:
        file.write('{"kind": "done", "process": 0, "error": "MemoryError"}\n')


# Those that any run can have done to it.
DOCUMENTS: Mapping[str, Callable[[RunFolder], None]] = {
    "add an event": add_event,
    "count restarts": count_restarts,
    "end the swarm with an error": end_swarm_with_error,
}
