"""Names of tables as a contract writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.relation_name import name_parts, quote_relation

PARTS = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12)


@given(st.lists(PARTS, min_size=1, max_size=2))
def test_what_is_written_is_read_back(parts: list[str]) -> None:
    """Whatever stands in a name: dots, quotes, blanks, capitals."""
    assert name_parts(quote_relation(*parts)) == tuple(parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("jobs", ("jobs",)),
        ("Desk.Jobs 2", ("Desk", "Jobs 2")),
        ('desk."a.b"', ("desk", "a.b")),
        ('"de""sk".jobs', ('de"sk', "jobs")),
        ('it"s', ('it"s',)),
    ],
)
def test_a_name_is_used_as_it_stands(text: str, parts: tuple[str, ...]) -> None:
    """Quotes are needed for dots alone."""
    assert name_parts(text) == parts


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", '"a', '"a"b', 'a."b', '""'])
def test_what_is_no_name_is_refused(text: str) -> None:
    """With the form in which it should be written."""
    with pytest.raises(ValueError, match="schema"):
        name_parts(text)
