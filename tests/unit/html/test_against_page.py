"""The page of two runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.assessment.assess import assess_and_store
from harness.assessment.comparison import ComparisonQuestion, compare_runs
from harness.assessment.run_sources import runs_of
from harness.cli.app import app
from harness.errors import EvidenceError, UsageError
from harness.report.data import ReportData, read_report_data
from harness.report.html.against_page import against_page
from harness.report.html.components import Chart
from harness.report.html.percentiles import compared_figure
from tests.unit.analysis.evidence import healthy, load_of
from tests.unit.html.report_page import HOSTILE


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportData, ReportData]:
    """Two runs of one scenario."""
    found = []
    for name in ("base", "new"):
        folder = healthy(load_of(), "p99 < 500 ms").write(tmp_path_factory.mktemp(name))
        moved = folder.path.rename(folder.path.with_name(f"{folder.run_id}-{name}"))
        folder = type(folder).open(moved)
        assess_and_store(folder)
        found.append(read_report_data(folder))
    return found[0], found[1]


def test_each_run_has_its_curve_and_its_column(pair: tuple[ReportData, ReportData]) -> None:
    """One plot with both curves, and a table with both columns."""
    base, new = pair
    chart = compared_figure({"BASE": base.measurement, "NEW": new.measurement})
    assert isinstance(chart, Chart)
    solid = [trace["name"] for trace in chart.traces if trace["name"].startswith("latency")]
    assert solid == ["latency, BASE lite", "latency, NEW lite"]
    assert chart.tables[0].heads == ("percentile", *solid)


def test_two_runs_have_no_verdict_and_name_what_is_needed(
    pair: tuple[ReportData, ReportData],
) -> None:
    """CANNOT TELL, and the number of runs that each side needs more."""
    base, new = pair
    result = compare_runs(
        runs_of(str(base.folder.path)), runs_of(str(new.folder.path)), ComparisonQuestion()
    )
    page = against_page(base, new, result)
    assert result.runs_more is not None
    more = result.runs_more
    assert f"about {more.base} more of BASE and {more.new} of NEW" in page
    assert 'class="verdict inconclusive"' in page
    assert base.run_id in page
    assert new.run_id in page
    hostile = replace(new, scenario=new.scenario.model_copy(update={"name": HOSTILE}))
    assert HOSTILE not in against_page(base, hostile, result)


def test_page_goes_into_the_folder_of_the_run(pair: tuple[ReportData, ReportData]) -> None:
    """Named after the other run; other reports of two runs are wrong usage, and so is one run."""
    base, new = pair
    paths = [str(new.folder.path), "--against", str(base.folder.path)]
    done = CliRunner().invoke(app, ["report", *paths], catch_exceptions=False)
    assert done.exit_code == 0
    assert (new.folder.path / f"compare-{base.run_id}.html").is_file()
    for wrong in ([*paths, "--junit", "-"], [paths[0], "--against", paths[0]]):
        with pytest.raises(UsageError):
            CliRunner().invoke(app, ["report", *wrong], catch_exceptions=False)


def test_folder_that_is_no_run_is_wrong_usage(
    pair: tuple[ReportData, ReportData], tmp_path: Path
) -> None:
    """Also that of several runs."""
    arguments = ["report", str(pair[0].folder.path), "--against", str(tmp_path)]
    with pytest.raises((UsageError, EvidenceError), match=str(tmp_path.name)):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
