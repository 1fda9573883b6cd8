"""What happened in a run, for those who watch it."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.event_log import EVENTS_FILE, append_event, read_events
from harness.evidence.run_documents import RunEvent
from harness.evidence.run_folder import RunFolder


def test_events_are_read_back_and_torn_lines_left_out(tmp_path: Path) -> None:
    """A line that is being written is none yet; a disk that takes nothing raises nothing."""
    folder = RunFolder(tmp_path)
    assert read_events(tmp_path) == ()
    aborted = RunEvent(kind="aborted", what="made up", mono_ns=5)
    append_event(folder, aborted)
    with (tmp_path / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write('{"kind": "torn')
    assert read_events(tmp_path) == (aborted,)
    append_event(RunFolder(tmp_path / "absent"), aborted)


def test_an_event_names_its_service(tmp_path: Path) -> None:
    """As a field of its own; older versions have it as the first word of the sentence."""
    restarted = RunEvent(
        kind="service_restarted", what="made up", subject="engine", exit_code=-9, restarts=2
    )
    append_event(RunFolder(tmp_path), restarted)
    assert read_events(tmp_path) == (restarted,)
    assert restarted.service == "engine"
    line = '{"kind": "service_restarted", "what": "engine was restarted", "mono_ns": 1}'
    assert RunEvent.model_validate_json(line).service == "engine"
