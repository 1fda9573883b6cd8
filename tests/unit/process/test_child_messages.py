"""The last output of a worker: the cause and the hint, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.process.child import ChildProcess


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", ""),
        ("observer: one\nobserver: two\n", "observer: two"),
        (
            "observer: connection lost: cut\nobserver: observer: cannot be watched: too many\n"
            "  hint: is the server up?\n",
            "observer: observer: cannot be watched: too many hint: is the server up?",
        ),
        ("Traceback\n  File x\nValueError: odd\n", "ValueError: odd"),
        ("  only a hint\n", "only a hint"),
    ],
)
def test_the_hint_does_not_stand_for_the_cause(log: str, message: str, tmp_path: Path) -> None:
    """What is indented belongs to the line before it."""
    path = tmp_path / "observer.log"
    path.write_text(log, encoding="utf-8")
    assert ChildProcess("m", "", path, "observer").last_log_message() == message
