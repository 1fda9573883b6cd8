"""The result of a search in each form; the same figures everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from harness.analysis.capacity.trials import Answer, EndReason
from harness.assessment.capacity import Bottleneck, CapacityResult
from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.result_schema import CAPACITY as PUBLISHED
from harness.cli.report_files import ReportRequest, report_folder
from harness.errors import EvidenceError, UsageError
from harness.experiments.capacity import search_capacity
from harness.report.capacity import format_level, headline, render_capacity
from harness.report.html.capacity_page import capacity_page
from harness.report.junit import capacity_junit_xml
from harness.report.markdown import capacity_markdown
from harness.scenario.capacity_axis import CapacityAxis
from harness.stack.settings import ROOT
from tests.unit.capacity.searches import PLAN, System, base, new_folder, sharp, use_truth


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CapacityFolder:
    """Of a whole search; the diagnosis names the engine."""
    system = System(sharp(737))
    folder = new_folder(tmp_path_factory.mktemp("reports"))
    with pytest.MonkeyPatch.context() as patch:
        use_truth(patch)
        found = search_capacity(
            base(), CapacityAxis.RATE, PLAN, folder, system.once, clock=system.clock
        )
    bottleneck = Bottleneck(
        level=750,
        run_id="run-1",
        key="engine_cpu",
        message="engine CPU at 96 % of its quota",
        diagnosis=None,
    )
    found = found.model_copy(update={"bottleneck": bottleneck})
    folder.write_result(found)
    return folder


@pytest.fixture
def result(folder: CapacityFolder) -> CapacityResult:
    """As it is stored."""
    return folder.read_result()


def rendered(result: CapacityResult, width: int = 80) -> str:
    """As a terminal shows it."""
    console = Console(width=width, record=True)
    with console.capture() as capture:
        console.print(render_capacity(result, Path("reports/x-capacity")))
    return capture.get()


def test_the_headline_has_bounds_and_cause(result: CapacityResult) -> None:
    """The answer in one sentence."""
    bounds = result.bounds
    text = headline(result)
    assert bounds.estimate is not None
    for level in (result.plan.within(bounds.estimate), bounds.proven_met, bounds.broken):
        assert format_level(level, CapacityAxis.RATE) in text
    assert text.endswith(": engine CPU at 96 % of its quota")


@pytest.mark.parametrize("reason", list(EndReason))
def test_every_end_has_a_headline(result: CapacityResult, reason: EndReason) -> None:
    """Also without bounds."""
    empty = result.bounds.model_copy(
        update=dict.fromkeys(("proven_met", "met", "broken", "estimate", "operating"))
    )
    for bounds in (result.bounds, empty):
        assert headline(result.model_copy(update={"reason": reason, "bounds": bounds}))


def test_a_terminal_of_80_columns_shows_it(result: CapacityResult) -> None:
    """Each level once."""
    lines = rendered(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("engine 95 %" in line for line in lines) == len(result.levels)


def test_the_page_shows_every_trial(result: CapacityResult) -> None:
    """And its charts are drawn from the levels."""
    page = capacity_page(result)
    assert all(one.run_id in page for one in result.trials)
    drawings = page.split('id="drawings">')[1].split("</script>")[0]
    charts = {one["key"]: one for one in json.loads(drawings)}
    assert set(charts) == {"curve-chart", "use-chart", "order-chart"}
    by_name = {trace["name"]: trace for trace in charts["curve-chart"]["data"]}
    met = [one.level for one in result.levels if one.answer is Answer.MET]
    assert by_name["met"]["x"] == met
    assert by_name["met"]["error_y"]["array"] == pytest.approx([4.0] * len(met))


def test_junit_has_one_case_for_each_trial(result: CapacityResult) -> None:
    """A level that breaks is no failure of the build; the end of the search is one if it fails."""
    root = ET.fromstring(capacity_junit_xml(result))  # noqa: S314 - our own text
    search, trials = root.findall("testsuite")
    assert len(trials.findall("testcase")) == len(result.trials)
    assert (trials.get("failures"), search.get("errors")) == ("0", "0")
    late = result.model_copy(update={"verdict": type(result.verdict).INCONCLUSIVE})
    root = ET.fromstring(capacity_junit_xml(late))  # noqa: S314 - our own text
    assert root.findall("testsuite")[0].get("errors") == "1"


def test_markdown_has_both_tables(result: CapacityResult) -> None:
    """A row for each level, and one for each trial."""
    text = capacity_markdown(result, Path("reports/x-capacity"))
    assert text.count("\n| ") >= len(result.levels) + len(result.trials)
    assert "harness judge reports/x-capacity" in text


def test_report_command_writes_what_is_wanted(
    folder: CapacityFolder, result: CapacityResult, tmp_path: Path
) -> None:
    """And refuses what a search has not."""
    path = folder.path
    console = Console(quiet=True)
    report_folder(path, ReportRequest(), show=False, console=console)
    assert (path / "report.html").is_file()
    assert (path / "junit.xml").is_file()
    for refused in (ReportRequest(csv=tmp_path), ReportRequest(card=tmp_path)):
        with pytest.raises(UsageError, match="page, JUnit XML and Markdown only"):
            report_folder(path, refused, show=False, console=console)
    folder.write_result(result.model_copy(update={"schema_version": 99}))
    with pytest.raises(EvidenceError, match="99"):
        folder.read_result()
    folder.write_result(result)


def test_an_edited_result_is_not_believed(folder: CapacityFolder) -> None:
    """Neither another figure in it, nor other evidence below it."""
    text = folder.result.read_text(encoding="utf-8")
    folder.result.write_text(text.replace('"PASS"', '"FAIL"'), encoding="utf-8")
    with pytest.raises(EvidenceError, match="was changed after it was written"):
        folder.read_result()
    folder.result.write_text(text, encoding="utf-8")
    facts = folder.path / folder.FACTS
    whole = facts.read_text(encoding="utf-8")
    facts.write_text(f"{whole} ", encoding="utf-8")
    with pytest.raises(EvidenceError, match="differs from that in the folder now"):
        folder.read_result()
    facts.write_text(whole, encoding="utf-8")


def test_the_published_schema_is_the_current_one() -> None:
    """`make schema` writes it."""
    published = ROOT / "docs" / "schema" / "capacity-1.json"
    assert published.read_text(encoding="utf-8") == PUBLISHED.text()
