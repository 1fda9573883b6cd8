"""What commands print on a terminal of 80 and of 200 columns, seen through a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from harness.assessment.assess import assess_and_store
from tests.unit.analysis.evidence import healthy, load_of

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_IGNORED = {"CI", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"}


def on_terminal(folder: Path, columns: int, *arguments: str, **more: str) -> str:
    """The output of a command on a terminal of 24 lines, control sequences included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in _IGNORED}
    environ |= {"TERM": "xterm-256color", "PYTHONPATH": f"{ROOT}:{ROOT / 'compose'}", **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environ,
    )  # fmt: skip
    os.close(theirs)
    found = b""
    try:
        while data := _read(ours):
            found += data
        process.wait(LIMIT_S)
    finally:
        process.kill()
        os.close(ours)
    return found.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""


def lines_of(text: str) -> list[str]:
    """The lines without colours."""
    return _CONTROL.sub("", text).splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stored run in `reports/`."""
    own = tmp_path_factory.mktemp("terminal")
    assess_and_store(healthy(load_of(), "p99 < 500 ms").write(own / "reports"))
    return own


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "command",
    [
        "scenarios",
        "defects",
        "runs",
        "doctor",
        "judge -v latest",
        "judge latest",
        "run smokk",
        "run smoke --set load.duratoin_s=3 --set redis.portt=6379",
    ],
)
def test_every_line_fits(folder: Path, columns: int, command: str) -> None:
    """No line is wider than the terminal; only a single word may be, such as a path."""
    lines = lines_of(on_terminal(folder, columns, *command.split()))
    wide = [line for line in lines if cell_len(line) > columns and " " in line.strip()]
    assert any(lines)
    assert not wide


def test_a_wide_terminal_is_used(folder: Path) -> None:
    """The list of scenarios and that of runs have longer lines where there is room."""
    widths = {
        (command, columns): max(map(len, lines_of(on_terminal(folder, columns, command))))
        for command in ("scenarios", "runs")
        for columns in (80, 200)
    }
    assert widths["scenarios", 200] > widths["scenarios", 80]
    assert widths["runs", 200] > widths["runs", 80]


def test_no_colour(folder: Path) -> None:
    """NO_COLOR has no colours, and a dumb terminal no control sequences at all."""
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", on_terminal(folder, 80, "doctor", NO_COLOR="1"))
    assert "\x1b" not in on_terminal(folder, 80, "doctor", TERM="dumb")
