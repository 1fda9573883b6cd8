"""A comparison as text, Markdown, JUnit XML and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from jsonschema import Draft202012Validator
from rich.console import Console

from harness.analysis.comparison import ComparisonVerdict, RunValue
from harness.assessment.comparison import ComparisonQuestion, RunSet, UnreadRun, compare_runs
from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.result_schema import COMPARE as PUBLISHED
from harness.report.compare import (
    change_rows,
    explained_by,
    format_change,
    format_interval,
    headline,
    notes,
    render_comparison,
)
from harness.report.junit import compare_junit_xml
from harness.report.markdown import compare_markdown
from tests.unit.compare.runs import CPU, LOCK, MS, NOISE, compared, run, side, steady

SCHEMA = Path(__file__).parents[1] / "report" / "junit-10.xsd"


def slower() -> ComparisonResult:
    """A slower lock stage, an unread run, and a difference that is allowed."""
    sides = [
        [
            run(
                first + number,
                RunValue(level * MS * noise),
                figures={LOCK: lock * noise, CPU: 1e-3 * noise},
                fingerprint={"images": {"engine": image}},
            )
            for number, noise in enumerate(NOISE)
        ]
        for first, level, lock, image in ((0, 100, 5e6, "1"), (100, 140, 7e6, "2"))
    ]
    new = RunSet("NEW|<b>", tuple(sides[1]), (UnreadRun("odd::error::x", "is missing"),))
    question = ComparisonQuestion(allowed=("images",))
    return compare_runs(RunSet("main", tuple(sides[0])), new, question)


RESULTS: Mapping[ComparisonVerdict, Callable[[], ComparisonResult]] = {
    ComparisonVerdict.SLOWER: slower,
    ComparisonVerdict.FASTER: lambda: compared(steady(100), steady(70)),
    ComparisonVerdict.SAME: lambda: compared(steady(100, 8), steady(100, 8)),
    ComparisonVerdict.CANNOT_TELL: lambda: compared(steady(100, 3), steady(100, 4)),
    ComparisonVerdict.INVALID: lambda: compare_runs(
        side("base", steady(100)), RunSet("new", ()), ComparisonQuestion()
    ),
}


@pytest.mark.parametrize("verdict", list(ComparisonVerdict))
def test_every_verdict_has_every_report(verdict: ComparisonVerdict) -> None:
    """Each names the verdict; JSON conforms to the published schema; JUnit is red as the code."""
    result = RESULTS[verdict]()
    assert result.verdict is verdict
    text = io.StringIO()
    Console(file=text, width=200).print(render_comparison(result))
    shown = verdict.value.replace("_", " ")
    assert shown in text.getvalue()
    assert compare_markdown(result).startswith(f"## {shown}: ")
    document = json.loads(json.dumps(result.model_dump(mode="json")))
    Draft202012Validator(PUBLISHED.document()).validate(document)
    assert ComparisonResult.model_validate_json(json.dumps(document)) == result
    xml = compare_junit_xml(result)
    xmlschema.XMLSchema(SCHEMA).validate(xml)
    root = ET.fromstring(xml)  # noqa: S314 - our own document
    problems = [one.tag for one in root.iter() if one.tag in ("failure", "error")]
    assert bool(problems) == bool(result.exit_code)
    assert (problems == ["failure"]) == (verdict is ComparisonVerdict.SLOWER)


def test_published_schema_is_that_of_the_code() -> None:
    """After a change of the result's values: `make schema`."""
    assert PUBLISHED.path.read_text(encoding="utf-8") == PUBLISHED.text(), "run `make schema`"


def test_the_stage_that_grew_is_in_every_summary() -> None:
    """First of the explanations, with its change; what did not change is in the table only."""
    result = slower()
    (named,) = explained_by(result)
    assert "EVALUATED->LOCKED" in named
    assert "+40 %" in named
    assert any(named in note for note in notes(result))
    rows = change_rows(result)
    assert len(rows) == 2
    assert "not significant" in rows[1][3]
    assert "+40 %" in headline(result)


def test_text_of_a_run_is_no_markup() -> None:
    """Sources and names come from the command line and from evidence."""
    text = compare_markdown(slower())
    assert "<b>" not in text
    assert "NEW\\|&lt;b>" in text
    assert "odd::error::" not in text


def test_left_out_runs_and_allowed_differences_are_named() -> None:
    """In the notes."""
    found = list(notes(slower()))
    assert any("unreadable" in note for note in found)
    assert any("images" in note for note in found)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.4, "+40 %"), (0.97, "-3 %"), (1.0, "+0 %"), (12.5, "+1,150 %"), (1.012, "+1.2 %")],
)
def test_a_ratio_is_a_change(ratio: float, text: str) -> None:
    """In percent, with its sign."""
    assert format_change(ratio) == text


def test_an_open_interval_is_said_to_be_open() -> None:
    """A bound that is not known is not claimed."""
    assert format_interval(1.2, None) == "at least +20 %"
    assert format_interval(None, 0.8) == "at most -20 %"
    assert "+" not in format_interval(None, None)
