"""The result of an experiment in each form; the same figures everywhere."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from rich.console import Console

from harness.assessment.result_schema import SCALE as PUBLISHED
from harness.assessment.scale_folder import ScaleFolder
from harness.assessment.scale_result import CellStatus, ScaleResult
from harness.assessment.scaling import RunFigure
from harness.cli.report_files import ReportRequest, report_folder
from harness.errors import UsageError
from harness.experiments.scale import judge_cells, run_cells
from harness.judge.verdict import Verdict
from harness.report.html.scale_page import scale_page
from harness.report.junit import scale_junit_xml
from harness.report.markdown import scale_markdown
from harness.report.scale import CSV_HEADS, cells_csv, headline, parameter_rows, render_scale
from harness.scenario import Scenario
from tests.unit.scaling.experiments import GRADE, Law, Runs, measured, new_folder, unheard

Make = Callable[..., ScaleResult]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the result of an experiment."""

    def make(law: Law | None = None, **changes: object) -> ScaleResult:
        folder = new_folder(tmp_path, **changes)
        runs = Runs(law) if law else Runs()
        return judge_cells(folder, runs.measure, run_cells(folder, runs.measure, unheard))

    return make


def usl(scenario: Scenario, number: int) -> RunFigure:
    """A peak at sqrt(0.9 / 0.06) = 3.9 workers; the third run is INVALID."""
    if number == 3:
        return RunFigure(CellStatus.INVALID, Verdict.INVALID, GRADE, reasons=("busy | host",))
    level = scenario.engine.workers
    value = 300 * level / (1 + 0.1 * (level - 1) + 0.06 * level * (level - 1))
    return measured(value * (1 + 0.01 * (number % 3)))


def rendered(result: ScaleResult) -> str:
    """As a terminal of 80 columns shows it."""
    console = Console(width=80)
    with console.capture() as capture:
        console.print(render_scale(result, Path("reports/x-scale")))
    return capture.get()


def test_the_peak_is_in_the_headline(make: Make) -> None:
    """With its interval."""
    result = make(usl)
    assert result.scaling is not None
    peak = result.scaling.peak_level
    assert peak.value is not None
    assert peak.value == pytest.approx(3.87, abs=0.2)
    assert peak.value is not None
    assert peak.lower is not None
    assert peak.upper is not None
    assert peak.lower < peak.value < peak.upper
    assert f"{peak.value:.3g} workers" in headline(result)


def test_without_a_peak_the_range_is_named(make: Make) -> None:
    """Nothing is said beyond twice the largest level."""
    result = make()
    assert result.scaling is not None
    assert result.scaling.peak_level.value is None
    assert "no peak up to 10 workers" in headline(result)
    assert result.scaling.curve[-1].level == 10
    assert ("peak (workers)", "none within range") in [
        row[:2] for row in parameter_rows(result, result.scaling)
    ]


def test_a_terminal_of_80_columns_shows_it(make: Make) -> None:
    """Every level, every model, and the run that does not count."""
    text = rendered(make(usl))
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"{level} workers" in text for level in range(1, 6))
    assert "busy | host" in text
    for model in ("linear", "amdahl", "usl"):
        assert model in text


def test_csv_has_a_row_for_every_attempt(make: Make) -> None:
    """In full precision."""
    result = make(usl)
    rows = list(csv.DictReader(io.StringIO(cells_csv(result))))
    assert tuple(rows[0]) == CSV_HEADS
    assert len(rows) == len(result.cells) == 16
    assert [float(row["figure"]) for row in rows if row["figure"]] == [
        cell.value for cell in result.cells if cell.value is not None
    ]


def test_junit_counts_runs(make: Make) -> None:
    """A run that is repeated is skipped; the verdict is a case of its own."""
    root = ET.fromstring(scale_junit_xml(make(usl)))  # noqa: S314 - made two lines above
    suites = {suite.get("name"): suite for suite in root}
    assert suites["workers.runs"].get("tests") == "16"
    assert suites["workers.runs"].get("skipped") == "1"
    assert suites["workers.experiment"].get("errors") == "0"


def test_markdown_escapes_what_comes_from_runs(make: Make) -> None:
    """A bar would end a cell of the table."""
    text = scale_markdown(make(usl), Path("reports/x-scale"))
    assert "busy \\| host" in text
    assert "| 1 workers |" in text


@pytest.mark.parametrize(
    "law", [usl, lambda *_: RunFigure(CellStatus.INVALID, Verdict.INVALID, GRADE)]
)
def test_the_page_has_every_run(make: Make, law: Law) -> None:
    """And needs no figures at all."""
    result = make(law)
    page = scale_page(result)
    for cell in result.cells:
        assert cell.run_id in page
    assert "report of a scaling experiment" in page


def test_the_page_of_a_latency_has_no_model(make: Make) -> None:
    """Its axis is logarithmic."""
    result = make(
        lambda scenario, _: measured(1e6 * scenario.load.stages[0].agents),
        vary="load.agents",
        levels=[10, 20, 30, 40, 50],
        measure="latency",
    )
    page = scale_page(result)
    assert '"type":"log"' in page
    assert "AICc" not in page.partition("runs-title")[0].partition("model-title")[2]
    assert "rises with load.agents" in headline(result)


def test_results_follow_the_schema(make: Make, tmp_path: Path) -> None:
    """Which is the published one."""
    make(usl)
    folder = ScaleFolder.open(next(tmp_path.glob("*-scale")))
    schema = json.loads(PUBLISHED.path.read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(folder.result.read_text(encoding="utf-8")), schema)
    assert PUBLISHED.path.read_text(encoding="utf-8") == PUBLISHED.text()


def test_the_report_command_writes_what_is_wanted(make: Make, tmp_path: Path) -> None:
    """Without an option page and JUnit XML; percentile distributions there are none."""
    make(usl)
    folder = ScaleFolder.open(next(tmp_path.glob("*-scale")))
    console = Console(quiet=True)
    report_folder(folder.path, ReportRequest(), show=False, console=console)
    assert folder.html.is_file()
    assert folder.junit.is_file()
    report_folder(folder.path, ReportRequest(csv=tmp_path), show=False, console=console)
    assert (tmp_path / "cells.csv").is_file()
    with pytest.raises(UsageError, match="no percentile distributions"):
        report_folder(folder.path, ReportRequest(hgrm=tmp_path), show=False, console=console)
