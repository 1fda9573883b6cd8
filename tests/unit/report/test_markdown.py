"""Half a page for the summary of a CI job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.diagnosis.answers import Diagnosis
from harness.evidence.run_folder import RunFolder
from harness.judge.integrity import SIGNALS_LOST
from harness.judge.judgement import with_check
from harness.judge.verdict import Verdict
from harness.report.data import ReportData, read_report_data
from harness.report.diagnosis import NO_CAUSE
from harness.report.markdown import escaped, markdown


@pytest.fixture
def data(judged: RunFolder) -> ReportData:
    """A run that passed."""
    return read_report_data(judged)


def test_summary_answers_in_order(data: ReportData) -> None:
    """Verdict, why, objectives, percentiles with their interval, account, grade, how to repeat."""
    text = markdown(data)
    parts = (
        "## PASS: synthetic",
        "P99 of latency is",
        "| ok | p99 &lt; 500 ms (lite) |",
        "integrity and validity checks pass",
        "| latency (lite) |",
        "| latency (full) |",
        "attempted =",
        "Grade: indicative (",
        "seed 1",
        data.command,
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_percentile_has_its_interval(data: ReportData) -> None:
    """The interval of the objective that was judged of the same signals."""
    row = next(line for line in markdown(data).splitlines() if line.startswith("| latency (lite)"))
    check = next(c for c in data.judgement.checks if c.id == "latency_p99_lite")
    assert check.figures["upper_ns"] is not None
    assert " to " in row.split("|")[3]
    assert " to " not in row.split("|")[2]  # no objective for the median
    assert row.split("|")[4].strip() == "too few signals"


def test_failed_checks_are_shown_with_examples(data: ReportData) -> None:
    """Checks that pass are only counted."""
    check = SIGNALS_LOST.judged(
        Verdict.FAIL, "2 signals were lost | <b>really</b>", examples=("trace-1", "trace-2")
    )
    text = markdown(replace(data, judgement=with_check(data.judgement, check)))
    assert text.startswith("## FAIL")
    line = next(line for line in text.splitlines() if SIGNALS_LOST.name in line)
    assert "trace-1, trace-2" in line
    assert r"\|" in line
    assert "<b>" not in line


def test_diagnosis_headline_is_there(data: ReportData) -> None:
    """Of a diagnosis the headline, or that there is none."""
    found = Diagnosis(because="P99 at 92 %", headline="engine CPU at 97 %", questions=())
    assert "engine CPU at 97 %" in markdown(replace(data, diagnosis=found))
    none = Diagnosis(because="on demand", headline=None, questions=())
    assert NO_CAUSE in markdown(replace(data, diagnosis=none))
    assert "Diagnosis" not in markdown(data)


def test_markup_in_texts_is_shown_as_it_is() -> None:
    """Text of a run neither opens a cell nor becomes bold."""
    assert escaped("a|b *c*\n<i> [x](y) `z`") == r"a\|b \*c\* &lt;i> \[x\](y) \`z\`"
