"""Names and text use terms of the field; retired private words do not come back."""

from __future__ import annotations

import io
import re
import tokenize
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("harness", "compose", "tests")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "scenarios/**/*.toml")
# SIM905: a text is easier to read than a list of 40 strings.
RETIRED = frozenset(
    """
    told stranger strangers unnamed fate fates standstill standstills misdeed misdeeds echoes chore
    chores crew armory story stories standing tally tallies hole holes desk desks camera hurry
    glance glances offender offenders vitals agenda tripwire warden composer taken armoury
    promise promises promised quiet disturbed worth
    """.split()  # noqa: SIM905
)
RETIRED_PHRASES = re.compile(
    r"\b(?:came|comes?) to\b|\b(?:\d+|of|in the|these|many|no|late|two|all) looks\b"
)
# Fields of stored results and evidence keep their names, so that old ones are still read.
STORED = frozenset({"standstills", "strangers", "taken_at", "taken_out", "unnamed", "vitals"})
# Names in text, each of something that keeps its name.
NAMES = re.compile(
    r"""
    \bdesk2?(?:-\w+|\.\w+)*\b       # the system of examples/foreign, its files, tables, streams
    | \bvitals\.jsonl\b            # a file of stored evidence
    | \bwarden\ and\ ryuk\b        # the reapers, in the facts of stored evidence
    | ^\s*(?:standstills|unnamed|vitals):  # a field of stored results, in a docstring
    | --quiet                      # an option of pip, uv and docker
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What is no text of today: titles and messages of older versions, and this list.
EARLIER = {
    "harness/assessment/result_v1.py": "maps the titles of schema 1 to the ids of today",
    "tests/unit/test_vocabulary.py": "holds the list itself",
}
# Tables in which a study wrote what an earlier version printed.
PRINTED_TABLES = frozenset(
    {"docs/faults.md", "docs/defects.md", "docs/diagnosis-causes.md", "docs/calibration.md"}
)
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_VALUE = re.compile(r"\{[^{}\n]*\}")
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_LEAST_WORDS = 3  # a shorter string is a name or a value
# Tokens are made only of modules that may have a retired word.
_SUSPECT = re.compile("|".join((" looks", "c(?:ame|omes?) to", *sorted(RETIRED))))
_COMMON = re.compile("whole|histor")  # hold a retired word


def _modules() -> Iterator[Path]:
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if "node_modules" in path.parts or str(path.relative_to(ROOT)) in EARLIER:
            continue
        text = f"{path.stem} {path.read_text(encoding='utf-8')}".lower()
        if _SUSPECT.search(_COMMON.sub("", text)):
            yield path


@cache
def _tokens(path: Path) -> list[tokenize.TokenInfo]:
    # An option of Rich.
    source = path.read_text(encoding="utf-8").replace("Console(quiet=", "Console(")
    with io.StringIO(source) as text:
        return list(tokenize.generate_tokens(text.readline))


def _retired_in(text: str) -> list[str]:
    """Retired words of a sentence, without proper names, code and inserted values."""
    text = NAMES.sub("", _CODE.sub("", _VALUE.sub("", text)))
    words = [word for word in re.findall(r"\w+", text) if word.lower() in RETIRED]
    return words + RETIRED_PHRASES.findall(text)


def _is_text(token: tokenize.TokenInfo) -> bool:
    if token.type == tokenize.COMMENT:
        return True
    kinds = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    return token.type in kinds and len(token.string.split()) >= _LEAST_WORDS


def _prose(page: Path) -> str:
    """A page without what a program printed; as many lines as the page."""
    text = page.read_text(encoding="utf-8")
    if str(page.relative_to(ROOT)) in PRINTED_TABLES:
        text = _ROW.sub("", text)
    return _CODE.sub("", _FENCE.sub(lambda found: "\n" * found.group().count("\n"), text))


def test_no_name_is_a_retired_word() -> None:
    """Neither a module, nor a name in one."""
    found = []
    for path in _modules():
        names = {path.stem}
        names |= {token.string for token in _tokens(path) if token.type == tokenize.NAME}
        retired = {
            name
            for name in names
            if name not in STORED
            and not RETIRED.isdisjoint(part.lower() for part in _PARTS.findall(name))
        }
        found += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(retired)]
    assert found == []


def test_no_sentence_of_the_code_has_a_retired_word() -> None:
    """Neither a comment, nor a docstring, nor a message."""
    found = []
    for path in _modules():
        for token in filter(_is_text, _tokens(path)):
            for line, text in enumerate(token.string.splitlines(), token.start[0]):
                found += [f"{path.relative_to(ROOT)}:{line}: {one}" for one in _retired_in(text)]
    assert found == []


def test_no_page_has_a_retired_word() -> None:
    """Printed output keeps what was printed."""
    found = []
    for page in sorted(page for glob in PAGES for page in ROOT.glob(glob)):
        for line, text in enumerate(_prose(page).splitlines(), 1):
            found += [f"{page.relative_to(ROOT)}:{line}: {one}" for one in _retired_in(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "retired"),
    [
        ("a fate of its own", ["fate"]),
        ("the desk's streams", []),
        ("it came to an end", ["came to"]),
        ("in 3 of 10 looks", ["10 looks"]),
        ("it looks at the stream", []),
        ("vitals.jsonl is missing", []),
    ],
)
def test_retired_words_are_found(text: str, retired: list[str]) -> None:
    """Proper names are left out."""
    assert _retired_in(text) == retired
