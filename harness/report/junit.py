"""A judgement as JUnit XML, for CI systems: one test case for each check.

A FAIL is a failure: the system violates an objective or a check. INVALID and INCONCLUSIVE are
errors of their own types: no violation was found, but the build must not turn green, as the exit
code is not 0 either. A check that does not apply to the run is skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from harness.analysis.capacity.trials import Answer
from harness.analysis.comparison import ComparisonVerdict
from harness.assessment.capacity import CapacityResult, TrialFigures
from harness.assessment.comparison_result import ComparisonResult
from harness.assessment.group import GroupJudgement, MemberFigures
from harness.assessment.scale_result import CellFigures, CellStatus, ScaleResult
from harness.evidence.group_folder import GroupFolder
from harness.judge.check import Check, CheckKind
from harness.judge.verdict import Status, Verdict
from harness.printable import printable
from harness.report import capacity, compare, scale
from harness.report.data import ReportData
from harness.scenario.capacity_axis import CapacityAxis

Property = tuple[str, str]

# What XML 1.0 cannot hold, not even as a reference (section 2.2, production Char).
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STAMP = re.compile(r"^(\d{8}-\d{6})-")
_COMPARISON_PROBLEMS = {
    ComparisonVerdict.SLOWER: "failure",
    ComparisonVerdict.CANNOT_TELL: "error",
    ComparisonVerdict.INVALID: "error",
}


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One test case.

    Attributes:
        problem: "failure", "error" or "skipped"; None for one that passes.
        type: of the problem.
        message: of the check.
        out: message, figures and examples.
    """

    name: str
    problem: str | None
    type: str
    message: str
    out: str


def junit_xml(data: ReportData) -> str:
    """The judgement of a run."""
    judgement, grade = data.judgement, data.judgement.grade
    properties = [
        ("run_id", data.run_id),
        ("scenario", data.scenario.name),
        ("executed", data.executed),
        ("seed", str(data.plan.seed)),
        ("verdict", judgement.verdict.name),
        ("exit_code", str(judgement.exit_code)),
        ("grade", grade.level),
        *(("grade_reason", reason) for reason in grade.reasons),
        ("command", data.command),
        ("judged_anew", data.rejudged_reason or "no"),
    ]
    suites = [
        (kind.value, [case_of_check(check) for check in judgement.of(kind)], properties)
        for kind in CheckKind
    ]
    return _document(data.scenario.name, data.run_id, suites)


def group_junit_xml(judgement: GroupJudgement, folder: GroupFolder) -> str:
    """The judgement of several runs: a case for each run, and one for each check of all of them."""
    run_id = folder.path.name
    properties = [
        ("run_id", run_id),
        ("runs", str(len(judgement.runs))),
        ("verdict", judgement.verdict.name),
        ("exit_code", str(judgement.exit_code)),
        ("grade", judgement.grade.level),
        *(("grade_reason", reason) for reason in judgement.grade.reasons),
    ]
    suites = [("runs", [_case_of_run(run) for run in judgement.runs], properties)]
    for kind in CheckKind:
        cases = [case_of_check(check) for check in judgement.checks if check.kind is kind]
        suites.append((kind.value, cases, properties))
    return _document("group", run_id, suites)


def capacity_junit_xml(result: CapacityResult) -> str:
    """A search of the capacity: a case for its end, and one for each trial.

    A trial whose level is broken is what the search looks for, and no failure of the build; one
    that is INVALID or undecided is skipped, since the search repeats or passes it.
    """
    properties = [
        ("run_id", result.search_id),
        ("scenario", result.scenario),
        ("axis", result.axis.value),
        ("verdict", result.verdict.name),
        ("exit_code", str(result.exit_code)),
        ("grade", result.grade.level),
        *(("grade_reason", reason) for reason in result.grade.reasons),
    ]
    problem, type_ = _problem(result.verdict)
    bounds = f"figures: {json.dumps(result.bounds.model_dump(mode='json'))}"
    end = JUnitCase("capacity", problem, type_, capacity.headline(result), bounds)
    suites = [
        ("search", [end], properties),
        ("trials", [_case_of_trial(trial, result.axis) for trial in result.trials], properties),
    ]
    return _document(result.scenario, result.search_id, suites)


def _case_of_trial(trial: TrialFigures, axis: CapacityAxis) -> JUnitCase:
    decided = trial.answer in (Answer.MET, Answer.BROKEN)
    level = capacity.format_level(trial.level, axis)
    lines = [f"run {trial.run_id}: {trial.answer}, {trial.verdict.name}", *trial.reasons]
    return JUnitCase(
        f"trial {trial.number}: {level}",
        None if decided else "skipped",
        "" if decided else trial.answer.value,
        lines[0],
        "\n".join(lines),
    )


def scale_junit_xml(result: ScaleResult) -> str:
    """An experiment over levels: a case for its verdict, and one for each run.

    A run whose figure does not count is skipped, since it is repeated; one that violated an
    integrity check is a failure.
    """
    properties = [
        ("run_id", result.experiment_id),
        ("experiment", result.name),
        ("vary", result.vary),
        ("measure", result.measure.value),
        ("verdict", result.verdict.name),
        ("exit_code", str(result.exit_code)),
        ("grade", result.grade.level),
        *(("grade_reason", reason) for reason in result.grade.reasons),
    ]
    problem, type_ = _problem(result.verdict)
    out = "\n".join((scale.status_text(result), *scale.notes(result)))
    end = JUnitCase("experiment", problem, type_, scale.headline(result), out)
    cases = [_case_of_cell(cell, result) for cell in result.cells]
    suites = [("experiment", [end], properties), ("runs", cases, properties)]
    return _document(result.name, result.experiment_id, suites)


def _case_of_cell(cell: CellFigures, result: ScaleResult) -> JUnitCase:
    problem = {CellStatus.FAILED: "failure", CellStatus.INVALID: "skipped"}.get(cell.status)
    value = scale.format_value(result, cell.value)
    lines = [f"run {cell.run_id}: {cell.status}, {value}", *cell.reasons]
    return JUnitCase(
        f"{result.vary} = {cell.level}, repeat {cell.repeat}, attempt {cell.attempt}",
        problem,
        cell.status.value if problem else "",
        lines[0],
        "\n".join(lines),
    )


def compare_junit_xml(result: ComparisonResult) -> str:
    """A comparison: a case for its verdict, and one for each explaining figure, which never fails.

    SLOWER is a failure; CANNOT_TELL and INVALID are errors, as the exit code is not 0 either.
    """
    properties = [
        ("base", result.base.source),
        ("new", result.new.source),
        ("verdict", result.verdict.value),
        ("reason", result.reason.value),
        ("exit_code", str(result.exit_code)),
    ]
    problem = _COMPARISON_PROBLEMS.get(result.verdict)
    figures = {"ratio": result.ratio.model_dump() if result.ratio else None}
    out = "\n".join((*compare.notes(result), f"figures: {json.dumps(figures)}"))
    type_ = result.verdict.value if problem else ""
    end = JUnitCase(result.percentile, problem, type_, compare.headline(result), out)
    changes = [
        JUnitCase(compare.figure_name(one), None, "", "", f"figures: {one.model_dump_json()}")
        for one in result.changes
    ]
    suites = [("verdict", [end], properties), ("explaining", changes, properties)]
    return _document("compare", "compare", suites)


def case_of_check(check: Check) -> JUnitCase:
    """One check as a test case."""
    problem, type_ = _problem(check.status.verdict)
    if check.status is Status.NOT_APPLICABLE:
        problem, type_ = "skipped", check.status.name
    lines = [check.message, f"figures: {json.dumps(check.figures)}"]
    lines += [f"example: {example}" for example in check.examples]
    return JUnitCase(check.name, problem, type_, check.message, "\n".join(lines))


def _case_of_run(run: MemberFigures) -> JUnitCase:
    problem, type_ = _problem(run.verdict)
    message = f"{run.verdict.name}, seed {run.seed}"
    return JUnitCase(
        run.run_id, problem, type_, message, f"figures: {json.dumps(run.estimates_ns)}"
    )


def _problem(verdict: Verdict) -> tuple[str | None, str]:
    if verdict is Verdict.PASS:
        return None, ""
    return ("failure" if verdict is Verdict.FAIL else "error"), verdict.name


def _document(
    name: str, run_id: str, suites: Iterable[tuple[str, Sequence[JUnitCase], Sequence[Property]]]
) -> str:
    root = ET.Element("testsuites", {"name": _legal(run_id)})
    for kind, cases, properties in suites:
        suite = ET.SubElement(root, "testsuite", _counts(_legal(f"{name}.{kind}"), cases))
        if stamp := _stamp(run_id):
            suite.set("timestamp", stamp)
        holder = ET.SubElement(suite, "properties")
        for key, value in properties:
            ET.SubElement(holder, "property", {"name": key, "value": _legal(value)})
        for case in cases:
            _add(suite, f"{name}.{kind}", case)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _counts(name: str, cases: Sequence[JUnitCase]) -> dict[str, str]:
    def of(problem: str) -> str:
        return str(sum(case.problem == problem for case in cases))

    return {
        "name": name,
        "tests": str(len(cases)),
        "failures": of("failure"),
        "errors": of("error"),
        "skipped": of("skipped"),
    }


def _add(suite: ET.Element, class_name: str, case: JUnitCase) -> None:
    # A check has no duration; readers that sum the times need the attribute.
    attributes = {"classname": class_name, "name": _legal(case.name), "time": "0.000"}
    element = ET.SubElement(suite, "testcase", attributes)
    if case.problem is not None:
        attributes = {"type": case.type, "message": _legal(case.message)}
        ET.SubElement(element, case.problem, attributes).text = _legal(case.message)
    ET.SubElement(element, "system-out").text = _legal(case.out)


def _stamp(run_id: str) -> str | None:
    """Start of a run in UTC, from its id."""
    if not (match := _STAMP.match(run_id)):
        return None
    try:
        start = datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return start.isoformat()


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", printable(text))
