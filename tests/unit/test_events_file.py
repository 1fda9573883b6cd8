"""What happened in a run, for those who watch it."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.event_log import EVENTS_FILE, append_event, read_events
from harness.evidence.run_folder import RunFolder


def test_events_are_read_back_and_torn_lines_left_out(tmp_path: Path) -> None:
    """A line that is being written is none yet; a disk that takes nothing raises nothing."""
    folder = RunFolder(tmp_path)
    assert read_events(tmp_path) == ()
    append_event(folder, "aborted", "made up", 5)
    with (tmp_path / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write('{"kind": "torn')
    (event,) = read_events(tmp_path)
    assert (event.kind, event.what, event.mono_ns) == ("aborted", "made up", 5)
    append_event(RunFolder(tmp_path / "absent"), "aborted", "made up", 5)
