"""Output blocks of the documentation are what the commands print, except for figures.

A block is marked by an HTML comment above it, with an empty line between:
    <!-- output of: harness COMMAND; exit code N -->
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[2]
COMMAND_MAX_S = 100
_MARKER = re.compile(
    r"<!-- output of: harness (.+?); exit code (\d) -->\n\n```\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# Page, command, exit code and text of each marked block.
BLOCKS = tuple(
    (page.relative_to(ROOT).as_posix(), command, int(code), text)
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for command, code, text in _MARKER.findall(page.read_text(encoding="utf-8"))
)


def shape_of(text: str) -> str:
    """Output without numbers and line breaks."""
    return " ".join(re.sub(r"\d[\d.,]*\d|\d", "0", text).split())


def test_the_marked_pages() -> None:
    """A misspelt marker would mark nothing, so the marked pages are listed here."""
    marked = [page for page, *_ in BLOCKS]
    assert marked == ["docs/install.md", "docs/tutorial/troubleshooting.md"]


@pytest.mark.parametrize(("page", "command", "code", "text"), BLOCKS)
def test_commands_print_what_the_pages_show(
    page: str, command: str, code: int, text: str, tmp_path: Path
) -> None:
    """In an empty folder: the exit code, and the same text except for figures."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *shlex.split(command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'compose'}", "COLUMNS": "120"},
        timeout=COMMAND_MAX_S,
        check=False,
    )
    assert done.returncode == code, (page, done.stdout)
    assert shape_of(done.stdout) == shape_of(text), page
