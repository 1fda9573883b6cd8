"""Lines of text on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from harness.cli.console import broken_at_spaces

WORDS = st.lists(
    st.text("abc/\N{CJK UNIFIED IDEOGRAPH-4E2D}", min_size=1, max_size=30), max_size=20
)


@given(words=WORDS, indent=st.integers(0, 6), width=st.integers(10, 60))
def test_words_stay_whole(words: list[str], indent: int, width: int) -> None:
    """No word is lost or cut, and a line that is too wide has one word only."""
    found = broken_at_spaces(Text(" " * indent + " ".join(words)), width).plain
    assert found.split() == words
    for line in found.splitlines():
        assert cell_len(line) <= width or len(line.split()) == 1


def test_continued_lines_are_indented() -> None:
    """By two columns more than the line itself; lines that fit, and styles, stay as they are."""
    text = Text.assemble(("error:", "red"), " one two\n  hint: three four")
    found = broken_at_spaces(text, 14)
    assert found.plain == "error: one two\n  hint: three\n    four"
    assert [found.plain[span.start : span.end] for span in found.spans] == ["error:"]
