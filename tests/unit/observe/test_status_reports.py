"""What a system says of its signals, in each form."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.names import Contract
from harness.observe.status_reports import StatusReportParser

TRACE = "00000000-00ab-8001-8000-000000000007"


def reader(**seen: Any) -> StatusReportParser:
    """A reader of a system that says `done` for SIMULATED, and SETTLED in its table."""
    states = {"SETTLED": "SIMULATED", "done": "SIMULATED", "new": "INIT"}
    return StatusReportParser(Contract.model_validate({"states": states, "seen": seen}))


def test_text_is_a_trace_id_and_a_status() -> None:
    """The status comes out in one word, whichever of them was said."""
    found = reader(format="text").from_text(f" {TRACE}  done\n")
    assert found is not None
    assert (found.trace_hi, found.trace_lo & 0xFF, found.status) == (0xAB8001, 7, "SETTLED")
    assert (found.commit_us, found.lsn) == (0, 0)


def test_json_is_read_by_paths() -> None:
    """Nested as the system likes it."""
    words = reader(trace_id="job.ref", status="job.phase")
    found = words.from_json(f'{{"job": {{"ref": "{TRACE}", "phase": "new"}}}}')
    assert found is not None
    assert found.status == "new"


def test_fields_of_a_stream() -> None:
    """Flat, or a document in one of them."""
    flat = reader(format="fields", trace_id="ref", status="phase")
    document = reader(format="json", field="b", trace_id="ref", status="phase")
    entry = {b"ref": TRACE.encode(), b"phase": b"done", b"more": b"x"}
    for words, fields in (
        (flat, entry),
        (document, {b"b": f'{{"ref": "{TRACE}", "phase": "done"}}'.encode()}),
    ):
        found = words.from_fields(fields)
        assert found is not None
        assert found.status == "SETTLED"


def test_without_a_status_whatever_is_told_is_simulated() -> None:
    """A channel that tells of nothing else."""
    found = reader(format="text", status=False).from_text(TRACE)
    assert found is not None
    assert found.status == "SETTLED"


def test_each_word_is_one_of_its_own() -> None:
    """A word names no transaction, so none looks like a sighting that was written twice."""
    words = reader(format="text")
    first, second = (words.from_text(f"{TRACE} done") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.xid != second.xid


def test_what_is_not_mapped_is_no_state() -> None:
    """It is told as the system told it, so that it can be named."""
    found = reader(format="text").from_text(f"{TRACE} signed")
    assert found is not None
    assert found.status == "signed"


@pytest.mark.parametrize("text", ["", "nobody done", TRACE, "{", "[]", '{"trace_id": 3}'])
def test_unreadable_words_are_counted(text: str) -> None:
    """Neither dropped silently nor fatal."""
    for form, name in (("text", "from_text"), ("json", "from_json")):
        words = reader(format=form)
        assert getattr(words, name)(text) is None
        assert words.unreadable == 1
