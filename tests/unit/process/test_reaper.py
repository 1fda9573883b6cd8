"""The messages that the reaper reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

from harness.process.launch import KEEP
from harness.process.proc import find, is_running, start_ticks
from harness.process.program import Program, clean_environment
from harness.process.reaper import read_registrations
from harness.process.termination import TrackedProcess


def _lines(*messages: dict[str, int | str]) -> list[bytes]:
    return [json.dumps(message).encode() + b"\n" for message in messages]


def test_hears_until_the_pipe_ends() -> None:
    """Processes that were not forgotten are left to end, and folders to remove."""
    charges, folders = read_registrations(
        _lines(
            {"folder": "/some/folder"},
            {"watch": 10, "ticks": 77, "signal": 3},
            {"watch": 11, "ticks": 78, "signal": 15},
            {"forget": 10},
            {"forget": 99},
        )
    )
    assert charges == (TrackedProcess(11, 78, 15),)
    assert folders == ("/some/folder",)


def test_a_line_cut_short_is_no_harm() -> None:
    """The harness may be killed within a message."""
    charges, _ = read_registrations(
        [*_lines({"watch": 10, "ticks": 1, "signal": 15}), b'{"watch": 1']
    )
    assert [charge.pid for charge in charges] == [10]


def test_a_pid_alone_names_nobody() -> None:
    """A process is known by its number and its start, since numbers are used again."""
    own = os.getpid()
    ticks = start_ticks(own)
    assert ticks > 0
    assert is_running(own, ticks)
    assert not is_running(own, ticks + 1)


def test_never_finds_itself() -> None:
    """The process that searches for strays is not one."""
    assert os.getpid() not in find("", (str(Path.cwd()),))


def test_environment_is_clean(tmp_path: Path) -> None:
    """A program gets what it needs, not what a shell happens to hold."""
    program = Program("x", ("x",), tmp_path, tmp_path / "log", (("DEFI_X", "1"),))
    env = clean_environment(program, "token")
    assert set(env) <= {
        *("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "HOME", "TMPDIR", "LC_ALL", "TZ"),
        *("HARNESS_RUN", "DEFI_X"),
    }
    assert env["HOME"] == str(tmp_path)
    assert env["HARNESS_RUN"] == "token"
    assert program.uid == KEEP
