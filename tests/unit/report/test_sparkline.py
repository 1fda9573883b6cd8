"""The latest runs as a small picture."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.trend_pictures import TrendPictures, newest_series, write_pictures
from harness.errors import UsageError
from harness.evidence.history import Metric
from harness.judge.verdict import Verdict
from harness.report.history import HistoryRun
from harness.report.sparkline import (
    BLOCKS,
    CENSORED,
    NO_FIGURE,
    RUNS_MAX,
    Sparkline,
    SparklineRun,
    blocks,
    change_text,
    heading,
    sparkline,
    svg_sparkline,
)
from harness.report.sparkline_markdown import markdown_sparkline
from harness.report.trend import trends_of
from harness.scenario.question import fingerprint
from tests.studies.history.nights import line_of, p99

MS = 1_000_000
SVG = "{http://www.w3.org/2000/svg}"


def night(value_ms: float | None, verdict: str = "PASS", *, censored: bool = False) -> SparklineRun:
    """A run with this percentile."""
    value_ns = None if value_ms is None else round(value_ms * MS)
    return SparklineRun("run", verdict, value_ns, censored, measures=verdict != "INVALID")


def series(*values_ms: float | None, finding: str = "") -> Sparkline:
    """Nights with these percentiles."""
    return sparkline("nightly", "p99 < 500 ms", [night(value) for value in values_ms], finding)


RUNS = st.lists(
    st.builds(
        SparklineRun,
        run_id=st.text(max_size=20),
        verdict=st.sampled_from([*(one.name for one in Verdict), "NOT VERIFIED"]),
        value_ns=st.none() | st.integers(0, 10**15),
        censored=st.booleans(),
        measures=st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@given(RUNS)
def test_every_run_has_one_character(runs: list[SparklineRun]) -> None:
    """So that places in the text are places in time."""
    assert len(blocks(runs)) == len(runs)
    assert set(blocks(runs)) <= {*BLOCKS, NO_FIGURE, CENSORED}


@given(st.lists(st.integers(0, 10**15), min_size=2, max_size=30))
def test_higher_blocks_are_larger_figures(values: list[int]) -> None:
    """Blocks never contradict the order, and the largest figure has the highest."""
    text = blocks([SparklineRun("", "PASS", value) for value in values])
    drawn = sorted(zip(values, text, strict=True))
    heights = [BLOCKS.index(block) for _, block in drawn]
    assert heights == sorted(heights)
    assert not max(values) or heights[-1] == len(BLOCKS) - 1


def test_blocks_begin_at_zero() -> None:
    """A change of 2 % is no visible step, one to a half is half the height."""
    assert blocks([night(100), night(98)]) == "██"
    assert blocks([night(100), night(50), night(0)]) == "█▄▁"


def test_runs_without_a_figure_are_marked() -> None:
    """INVALID measures nothing, and does not set the scale."""
    runs = [night(10), night(None), night(900, "INVALID"), night(5, censored=True)]
    assert blocks(runs) == "█··↑"


def test_the_change_is_against_the_median_of_the_others() -> None:
    """So one earlier outlier changes nothing."""
    line = series(100, 102, None, 9_000, 98, 110)
    assert line.change is not None
    assert line.change.share == pytest.approx(110 / 101 - 1)
    assert line.change.runs == 4


@pytest.mark.parametrize(
    "values", [(None,), (10,), (None, 10), (10, None), (0, 10)], ids=lambda one: str(one)
)
def test_without_two_figures_there_is_no_change(values: tuple[float | None, ...]) -> None:
    """And the texts are made all the same."""
    line = series(*values)
    assert line.change is None
    assert markdown_sparkline(line)
    assert svg_sparkline(line)


def test_texts_have_verdict_and_change_first() -> None:
    """What the trend found, which decides whether a change is real, follows."""
    line = series(100, 100, 150, finding="slower by 50 % from run-3 on")
    assert re.match(r"PASS: nightly, p99 150 ms, \+50\.0 %", heading(line))
    text = markdown_sparkline(line)
    assert text.startswith("**p99 150 ms, +50.0 %")
    assert text.index("slower by 50 %") < text.index("`▆▆█`")
    bound = sparkline("n", "p99 < 1 s", [night(10), night(40, "FAIL", censored=True)])
    assert "above 40.0 ms" in change_text(bound)


def test_only_the_newest_runs_are_drawn() -> None:
    """A year of nights is a page, not a picture."""
    line = sparkline("n", "", [night(number) for number in range(100)])
    assert len(line.runs) == RUNS_MAX
    assert line.runs[-1].value_ns == 99 * MS


def test_no_run_is_no_picture() -> None:
    """The caller has to say so."""
    with pytest.raises(ValueError, match="at least one run"):
        sparkline("n", "", [])


@given(RUNS, st.text(max_size=200), st.text(max_size=50))
def test_svg_is_one_document_without_reference_or_script(
    runs: list[SparklineRun], scenario: str, metric: str
) -> None:
    """Whatever texts a history holds."""
    root = ET.fromstring(svg_sparkline(sparkline(scenario, metric, runs)))  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
    allowed = {"svg", "title", "style", "rect", "text", "g", "path", "circle"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    names = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in names if name.startswith("on") or "href" in name]
    assert len(root.findall(f"{SVG}g")) == min(len(runs), RUNS_MAX)


@given(RUNS, st.text(max_size=200), st.text(max_size=50))
def test_markdown_has_its_chart_in_one_block(
    runs: list[SparklineRun], scenario: str, metric: str
) -> None:
    """No text of a history ends the block, or is a directive of Mermaid."""
    text = markdown_sparkline(sparkline(scenario, metric, runs))
    fences = [line for line in text.splitlines() if line.startswith("```")]
    assert fences in ([], ["```mermaid", "```"])
    assert text.count("%%{init") == bool(fences)
    for line in text.splitlines():
        assert not line.lstrip().startswith("title") or line.count('"') == 2


def test_a_failed_run_is_marked_by_more_than_colour() -> None:
    """For readers who do not see the colours apart, and on paper."""
    root = ET.fromstring(  # noqa: S314 - our own
        svg_sparkline(
            sparkline("n", "p99", [night(1), night(2, "FAIL"), night(3, "PASS", censored=True)])
        )
    )
    marks = [
        {child.tag.removeprefix(SVG) for child in bar} - {"title", "rect"}
        for bar in root.findall(f"{SVG}g")
    ]
    assert marks == [set(), {"circle"}, {"path"}]


def runs_of(scenario: str, *runs: HistoryRun) -> list[HistoryRun]:
    """Runs of one scenario, whose question has its name."""
    question = fingerprint({"name": scenario})
    own = {"scenario": scenario, "question": question}
    return [replace(run, line=run.line.model_copy(update=own)) for run in runs]


def run(
    number: int, figure: Metric | None = None, verdict: str = "PASS", why: str = ""
) -> HistoryRun:
    """A run of night `number`, not verified for the reason `why`."""
    metrics = () if figure is None else (figure,)
    return HistoryRun(line_of(number, *metrics, verdict=verdict), why)


def test_the_series_of_the_newest_run_is_drawn() -> None:
    """A history may have several scenarios."""
    runs = [
        *runs_of("old", run(1), run(3)),
        *runs_of("new", run(2), run(4, p99(7 * MS))),
    ]
    line = newest_series(trends_of(runs))
    assert (line.scenario, line.runs[-1].run_id) == ("new", line_of(4).run_id)
    assert line.runs[-1].value_ns == 7 * MS


def test_what_is_not_verified_or_invalid_is_not_compared() -> None:
    """A run without an upper bound counts with its lower one."""
    line = newest_series(
        trends_of(
            [
                run(1, p99(MS), "INVALID"),
                run(2, p99(MS), why="was edited"),
                run(3, p99(10 * MS, is_censored=True, width=0.5)),
            ]
        )
    )
    assert [one.figure_ns for one in line.runs] == [None, None, 5 * MS]
    assert [one.censored for one in line.runs] == [False, False, True]
    assert line.runs[1].verdict == "NOT VERIFIED"


def test_pictures_are_files_or_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a folder that is missing is wrong usage."""
    trends = trends_of([run(1, p99(5 * MS)), run(2, p99(6 * MS))])
    write_pictures(trends, TrendPictures(Path("-"), tmp_path / "trend.svg"))
    assert capsys.readouterr().out == markdown_sparkline(newest_series(trends))
    assert (tmp_path / "trend.svg").read_text(encoding="utf-8").startswith("<svg")
    with pytest.raises(UsageError):
        write_pictures(trends, TrendPictures(tmp_path / "none" / "trend.md"))
