"""JUnit XML that other readers accept, and that is as red as the exit code."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.assessment.group import GroupJudgement, MemberFigures
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Check, CheckKind, CheckSpec, NotApplicable
from harness.judge.judgement import with_check
from harness.judge.verdict import Verdict
from harness.report.data import ReportData, read_report_data
from harness.report.junit import case_of_check, group_junit_xml, junit_xml


def parsed(text: str) -> ET.Element:
    """The document that we have just made."""
    return ET.fromstring(text)  # noqa: S314 - our own document


PROBLEMS = {
    Verdict.FAIL: "failure",
    Verdict.INVALID: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.PASS: None,
}


@cache
def schema() -> xmlschema.XMLSchema:
    """The schema of Jenkins' xunit plugin."""
    return xmlschema.XMLSchema(Path(__file__).with_name("junit-10.xsd"))


@pytest.fixture
def data(judged: RunFolder) -> ReportData:
    """A run that passed."""
    return read_report_data(judged)


def finding(verdict: Verdict, message: str = "something", *examples: str) -> Check:
    """A check."""
    spec = CheckSpec("odd", 'odd <one> & "two"', CheckKind.INTEGRITY)
    return spec.judged(verdict, message, {"share": 0.5, "missing_ns": None}, examples)


def with_finding(data: ReportData, check: Check) -> ReportData:
    """The same run with one more finding."""
    return replace(data, judgement=with_check(data.judgement, check))


def test_every_check_is_a_test_case(data: ReportData) -> None:
    """One case for each, in a suite of its kind; properties identify the run."""
    root = parsed(junit_xml(data))
    schema().validate(junit_xml(data))
    suites = {suite.get("name"): suite for suite in root}
    for kind in CheckKind:
        suite = suites[f"synthetic.{kind}"]
        names = [case.get("name") for case in suite.iter("testcase")]
        assert names == [check.name for check in data.judgement.of(kind)]
        assert suite.get("tests") == str(len(names))
    properties = [(p.get("name"), p.get("value")) for p in next(root.iter("properties"))]
    assert ("run_id", data.run_id) in properties
    assert ("seed", "1") in properties
    assert ("verdict", "PASS") in properties
    for reason in data.judgement.grade.reasons:
        assert ("grade_reason", reason) in properties


@pytest.mark.parametrize("verdict", list(Verdict))
def test_problem_follows_the_verdict(data: ReportData, verdict: Verdict) -> None:
    """Whatever is no pass makes the document red, and only a FAIL is a failure."""
    text = junit_xml(with_finding(data, finding(verdict, "it is so", "trace-1")))
    schema().validate(text)
    case = next(c for c in parsed(text).iter("testcase") if "odd" in str(c.get("name")))
    problems = [(one.tag, one.get("type")) for one in case if one.tag != "system-out"]
    wanted = PROBLEMS[verdict]
    assert problems == ([] if wanted is None else [(wanted, verdict.name)])
    assert "example: trace-1" in str(case.findtext("system-out"))
    red = [s for s in parsed(text) if s.get("failures") != "0" or s.get("errors") != "0"]
    assert bool(red) == (verdict is not Verdict.PASS)


def test_what_was_not_judged_is_skipped() -> None:
    """A check that does not apply is neither green nor red."""
    check = finding(Verdict.PASS).not_applicable(NotApplicable.REDIS_VERSION, "an old Redis")
    case = case_of_check(check)
    assert (case.problem, case.type) == ("skipped", "NOT_APPLICABLE")


@settings(max_examples=100)
@given(text=st.text(st.characters(), max_size=30))
def test_any_text_makes_legal_xml(shared: ReportData, text: str) -> None:
    """Events of a run may hold any text, also characters that XML does not allow."""
    xml = junit_xml(with_finding(shared, finding(Verdict.FAIL, text, text)))
    schema().validate(xml.encode("utf-8").decode("utf-8"))


@pytest.fixture(scope="module")
def shared(_judged: Path) -> ReportData:
    """The run, for tests that only read it."""
    return read_report_data(RunFolder.open(_judged))


def test_group_has_a_case_for_each_run(tmp_path: Path) -> None:
    """A case for each run, and one for each check of the group."""
    runs = tuple(
        MemberFigures(run_id=f"run-{n}", seed=n, verdict=verdict, estimates_ns={"p99": 10**7})
        for n, verdict in enumerate((Verdict.PASS, Verdict.INVALID))
    )
    grade = {"level": "indicative", "reasons": ("too short",)}
    judgement = GroupJudgement.model_validate(
        {
            "verdict": Verdict.INVALID,
            "exit_code": 4,
            "grade": grade,
            "runs": runs,
            "checks": (finding(Verdict.INVALID),),
        }
    )
    text = group_junit_xml(judgement, GroupFolder(tmp_path / "20261124-183203-x-ab12-repeat"))
    schema().validate(text)
    root = parsed(text)
    assert root[0].get("timestamp") == "2026-11-24T18:32:03+00:00"
    assert [(c.get("name"), c[0].tag) for c in root[0].iter("testcase")] == [
        ("run-0", "system-out"),
        ("run-1", "error"),
    ]
