"""Status reports of a system, in each form."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.names import Contract
from harness.observe.status_reports import StatusReportParser

TRACE = "00000000-00ab-8001-8000-000000000007"


def reader(**seen: Any) -> StatusReportParser:
    """A parser for a system that reports `done` for SIMULATED, and has SETTLED in its table."""
    states = {"SETTLED": "SIMULATED", "done": "SIMULATED", "new": "INIT"}
    return StatusReportParser(Contract.model_validate({"states": states, "seen": seen}))


def test_text_is_a_trace_id_and_a_status() -> None:
    """The status has one spelling, whichever of them was reported."""
    found = reader(format="text").from_text(f" {TRACE}  done\n")
    assert found is not None
    assert (found.trace_hi, found.trace_lo & 0xFF, found.status) == (0xAB8001, 7, "SETTLED")
    assert (found.commit_us, found.lsn) == (0, 0)


def test_json_is_read_by_paths() -> None:
    """Nested as the system likes it."""
    reports = reader(trace_id="job.ref", status="job.phase")
    found = reports.from_json(f'{{"job": {{"ref": "{TRACE}", "phase": "new"}}}}')
    assert found is not None
    assert found.status == "new"


def test_fields_of_a_stream() -> None:
    """Flat, or a document in one of them."""
    flat = reader(format="fields", trace_id="ref", status="phase")
    document = reader(format="json", field="b", trace_id="ref", status="phase")
    entry = {b"ref": TRACE.encode(), b"phase": b"done", b"more": b"x"}
    for reports, fields in (
        (flat, entry),
        (document, {b"b": f'{{"ref": "{TRACE}", "phase": "done"}}'.encode()}),
    ):
        found = reports.from_fields(fields)
        assert found is not None
        assert found.status == "SETTLED"


def test_without_a_status_every_report_is_simulated() -> None:
    """A channel for nothing else."""
    found = reader(format="text", status=False).from_text(TRACE)
    assert found is not None
    assert found.status == "SETTLED"


def test_each_report_has_an_id_of_its_own() -> None:
    """A report names no transaction, so none appears to be a repeated sighting."""
    reports = reader(format="text")
    first, second = (reports.from_text(f"{TRACE} done") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.xid != second.xid


def test_what_is_not_mapped_is_no_state() -> None:
    """It keeps the spelling of the report, so that it can be named."""
    found = reader(format="text").from_text(f"{TRACE} signed")
    assert found is not None
    assert found.status == "signed"


@pytest.mark.parametrize("text", ["", "no-id done", TRACE, "{", "[]", '{"trace_id": 3}'])
def test_unreadable_reports_are_counted(text: str) -> None:
    """Neither dropped silently nor fatal."""
    for form, name in (("text", "from_text"), ("json", "from_json")):
        reports = reader(format=form)
        assert getattr(reports, name)(text) is None
        assert reports.unreadable == 1
