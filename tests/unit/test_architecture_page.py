"""docs/architecture.md names files that exist, and every room of the harness."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
# Files of the repository; names of evidence files and of code have no folder.
PATHS = sorted(set(re.findall(r"`((?:harness|compose|tests|docs|scenarios)/[\w./-]*)`", TEXT)))


@pytest.mark.parametrize("path", PATHS)
def test_named_file_exists(path: str) -> None:
    """Every file and folder of the repository that the page names."""
    assert (ROOT / path).exists()


def test_every_room_is_on_the_map() -> None:
    """And no other one."""
    rooms = {one.parent.name for one in (ROOT / "harness").glob("*/__init__.py")}
    on_map = set(re.findall(r"^\| `harness/(\w+)` \|", TEXT, re.MULTILINE))
    assert on_map == rooms


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for name, path in re.findall(r"`([A-Z]\w+)` of `(harness/[\w/]+\.py)`", TEXT)],
)
def test_named_registry_exists(path: str, name: str) -> None:
    """Every registry that a new feature has to be entered in."""
    assert re.search(
        rf"^{name}\b.*= [({{]", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE
    )
