"""The table of stages in every form of report."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis.measurement import Measurement
from harness.assessment.assess import assess_and_store
from harness.evidence.run_folder import RunFolder
from harness.report.compact import compact_lines
from harness.report.data import ReportData, read_report_data
from harness.report.html.components import Chart, Table
from harness.report.html.load_stages import load_stages_section
from harness.report.html.run_timeline import RunTimeline
from harness.report.markdown import markdown
from harness.report.stages import ROWS_MAX, STAGE_HEADS, stage_rows
from harness.report.terminal import render
from tests.unit.analysis.evidence import healthy
from tests.unit.analysis.test_stage_summary import OBJECTIVES, staged_load

NO_TIMELINE = RunTimeline(0.0, (), ())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    """A run of two stages with different agents."""
    folder = healthy(staged_load(repeat=2), *OBJECTIVES).write(tmp_path_factory.mktemp("reports"))
    assess_and_store(folder)
    return read_report_data(folder)


def stages_of(data: ReportData, count: int) -> ReportData:
    """The same run with so many stages."""
    first = data.measurement.stages[0]
    stages = tuple(first.model_copy(update={"number": n}) for n in range(1, count + 1))
    return replace(data, measurement=data.measurement.model_copy(update={"stages": stages}))


def text_of(measurement: Measurement, data: ReportData) -> str:
    """What the terminal shows."""
    console = Console(width=200, file=StringIO())
    with console.capture() as shown:
        console.print(render(measurement, data.judgement, Path("reports")))
    return shown.get()


def test_a_row_for_each_stage(data: ReportData) -> None:
    """Number, name, repetitions, agents, rates, and the verdict of its own objectives."""
    first, second = stage_rows(data.measurement)
    assert len(first) == len(second) == len(STAGE_HEADS)
    assert (first[0], first[1], first[2], first[-1]) == ("1 x 2", "3", "100", "PASS")
    assert (second[0], second[1], second[2], second[-1]) == (
        *("2 busy x 2", "6", "100 to 300", "FAIL"),
    )


def test_terminal_and_markdown_have_the_same_rows(data: ReportData) -> None:
    """Every cell of every row."""
    shown, summary = text_of(data.measurement, data), markdown(data)
    for row in stage_rows(data.measurement):
        assert all(cell in shown for cell in row)
        assert f"| {' | '.join(row)} |" in summary


def test_the_end_of_a_run_has_a_line_for_each_stage(data: ReportData) -> None:
    """At most four, and how many more there are."""
    lines = [str(one) for one in compact_lines(data.measurement, data.judgement, None, 120)]
    shown = [line.strip() for line in lines if line.strip().startswith("stage ")]
    assert [line.split(":")[0] for line in shown] == ["stage 1 x 2", "stage 2 busy x 2"]
    assert shown[0].endswith("PASS")
    many = stages_of(data, 7).measurement
    lines = [str(one) for one in compact_lines(many, data.judgement, None, 120)]
    assert sum(line.strip().startswith("stage ") for line in lines) == 4
    assert any("3 stages more" in line for line in lines)


def test_many_stages_are_cut(data: ReportData) -> None:
    """A person reads no more; the note says where the rest is."""
    many = stages_of(data, ROWS_MAX + 3)
    for text in (text_of(many.measurement, many), markdown(many)):
        assert f"{ROWS_MAX} x 2" in text
        assert f"{ROWS_MAX + 1} x 2" not in text
        assert "3 rows more" in text


def test_a_run_of_one_stage_has_no_table(judged: RunFolder) -> None:
    """Neither here nor there."""
    data = read_report_data(judged)
    assert stage_rows(data.measurement) == []
    assert STAGE_HEADS[-2] not in text_of(data.measurement, data) + markdown(data)
    assert load_stages_section(data, NO_TIMELINE).parts == ()


def test_agents_have_a_figure_where_they_differ(data: ReportData) -> None:
    """Throughput and latency against agents; with equal agents the table alone."""
    table, figure = load_stages_section(data, NO_TIMELINE).parts
    assert isinstance(table, Table)
    assert isinstance(figure, Chart)
    drawn = {trace["name"]: trace for trace in figure.traces}
    assert drawn["sent"]["x"] == drawn["P99"]["x"] == [3, 6]
    (latency,) = data.measurement.stages[0].latency
    assert latency.p99_ns is not None
    assert latency.p99_upper_ns is not None
    assert drawn["P99"]["y"][0] == pytest.approx(latency.p99_ns / 1e6, rel=1e-3)
    above = drawn["P99"]["error_y"]["array"][0]
    assert above == pytest.approx((latency.p99_upper_ns - latency.p99_ns) / 1e6)
    equal = stages_of(data, 2)
    assert [type(part) for part in load_stages_section(equal, NO_TIMELINE).parts] == [Table]
