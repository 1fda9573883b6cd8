"""Turns: one at a time, bounded waiting, and no file of others."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from harness.errors import StackError
from harness.process.run_registry import run_turn


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second one goes on when the first has ended."""
    entered = threading.Event()

    def second() -> None:
        with run_turn(30, tmp_path):
            entered.set()

    thread = threading.Thread(target=second)
    with run_turn(0, tmp_path):
        thread.start()
        assert not entered.wait(0.05)
    thread.join(30)
    assert entered.is_set()


def test_waiting_ends(tmp_path: Path) -> None:
    """With the time that was waited; afterwards the turn is free again."""
    with (
        run_turn(0, tmp_path),
        pytest.raises(StackError, match="did not end within 0 s"),
        run_turn(0, tmp_path),
    ):
        pytest.fail("two at once")
    with run_turn(0, tmp_path):
        pass


def test_a_failure_ends_the_turn(tmp_path: Path) -> None:
    """Its error is the caller's."""
    with pytest.raises(KeyError), run_turn(0, tmp_path):
        raise KeyError
    with run_turn(0, tmp_path):
        pass


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "foreign"])
def test_what_others_planted_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The error says where, and what to do."""
    path = tmp_path / f"harness-turn-{os.geteuid()}"
    if kind == "link":
        path.symlink_to(tmp_path / "target")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        other = os.geteuid() + 1
        path.with_name(f"harness-turn-{other}").touch()
        monkeypatch.setattr("harness.process.run_registry.os.geteuid", lambda: other)
    with (
        pytest.raises(StackError, match="cannot be used as a lock") as caught,
        run_turn(0, tmp_path),
    ):
        pytest.fail("used")
    assert "TMPDIR" in caught.value.hint
    assert not (tmp_path / "target").exists()
