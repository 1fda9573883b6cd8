"""The page of runs over time: complete, bounded, and nothing of a run is markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import site
from harness.cli.app import app
from harness.evidence.history import HistoryLine, Metric, append_history, read_history
from harness.report.history import HistoryRun
from harness.report.html import history_page as page_module
from harness.report.html import trend_chart
from harness.report.html.history_page import history_page
from harness.report.trend import trends_of
from tests.studies.history.nights import TWO_CHANGES, line_of, p99
from tests.unit.html.outline import Outline, outline_of

HARMFUL = "</script><img src=x onerror=alert(1)>{{ 7 * 7 }} @series1"


def page_of(lines: Sequence[HistoryLine], links: dict[str, str] | None = None) -> str:
    """The page of these lines."""
    return history_page(trends_of(map(HistoryRun, lines)), links or {}, ["h.jsonl: line 3: torn"])


@pytest.fixture(scope="module")
def outline() -> Outline:
    """The page of two changes and two outliers, with a report of the first run."""
    lines = TWO_CHANGES.lines(1)
    return outline_of(page_of(lines, {lines[0].run_id: "runs/first.html"}))


def test_page_has_every_run_and_change(outline: Outline) -> None:
    """Changes at the top with a link to their figure; each run once in the table."""
    assert not outline.unclosed
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.all("html")[0]["lang"] == "en"
    assert len([row for row in outline.all("tr") if "data-verdict" in row]) == 60
    links = [link["href"] for link in outline.all("a")]
    assert links.count("#t1-1") == 2
    assert "runs/first.html" in links
    assert "slower by" in outline.text
    assert "h.jsonl: line 3: torn" in outline.text
    levels = [level for level, _ in outline.headings]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_page_asks_for_nothing(outline: Outline) -> None:
    """Neither a script, a style, an image nor a font from elsewhere."""
    for tag, attributes in outline.tags:
        for name in ("src", "href", "action", "data", "poster"):
            address = attributes.get(name) or ""
            assert not re.match(r"(?i)\s*(?:[a-z]+:)?//", address), (tag, address)
    policy = next(m["content"] for m in outline.all("meta") if "http-equiv" in m)
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 3


def test_figure_shows_intervals_bounds_and_changes(outline: Outline) -> None:
    """Points and censored points in traces of their own; a line and a label for each change."""
    (drawing,) = outline.data("drawings")
    certain, censored, medians = drawing["data"]
    assert len(certain["x"]) + len(censored["x"]) == 60
    assert all(one >= 0 for one in certain["error_y"]["array"])
    assert not any(censored["error_y"]["array"])
    assert len(medians["x"]) == 9
    vertical = [one for one in drawing["layout"]["shapes"] if one["xref"] == "x"]
    assert len(vertical) == 2
    texts = [one["text"] for one in drawing["layout"]["annotations"]]
    assert texts[0].startswith("slower +")
    assert texts[1].startswith("faster -")
    assert texts[2].startswith("limit 500")


@pytest.mark.parametrize("field", ["scenario", "plan", "stack", "system", "host_text", "commit"])
def test_nothing_of_a_run_is_markup(field: str) -> None:
    """Neither in the page nor in a drawing."""
    own: dict[str, Any] = {field: HARMFUL}
    metric = p99(40e6).model_copy(update={"objective": HARMFUL})
    lines = [line_of(night, metric, run_id=f"<b>{night}", **own) for night in range(3)]
    page = page_of(lines)
    outline = outline_of(page)
    assert not outline.unclosed
    assert not outline.all("img")
    assert not outline.all("b")
    assert "49 @series1" not in page
    (drawing,) = outline.data("drawings")
    assert "<" not in drawing["data"][0]["text"][0]


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures, points and rows; what is left out is named."""
    monkeypatch.setattr(page_module, "CHARTS_MAX", 1)
    monkeypatch.setattr(trend_chart, "POINTS_MAX", 5)
    monkeypatch.setattr(page_module, "ROWS_MAX", 7)
    other = Metric(id="rejected_share", objective="rejected < 1 %", unit="share", estimate=0.0)
    lines = [line_of(night, p99(40e6), other) for night in range(20)]
    outline = outline_of(page_of(lines))
    (drawing,) = outline.data("drawings")
    assert len(drawing["data"][0]["x"]) == 5
    assert len([row for row in outline.all("tr") if "data-verdict" in row]) == 7
    assert "13 older runs of the table" in outline.text
    assert "a page has 1 figures" in outline.text


def test_equal_titles_are_numbered() -> None:
    """Two hosts with one scenario have sections of their own."""
    lines = [line_of(night, p99(40e6), host=host * 12) for host in "ab" for night in range(2)]
    outline = outline_of(page_of(lines))
    titles = [text for level, text in outline.headings if level == 2]
    assert "nightly, docker stack" in titles
    assert "nightly, docker stack (2)" in titles


def test_runs_without_a_figure() -> None:
    """An INVALID run is in the table."""
    outline = outline_of(page_of([line_of(0, verdict="INVALID")]))
    assert "No run of it has a figure that counts." in outline.text
    assert len([row for row in outline.all("tr") if "data-verdict" in row]) == 1


def test_site_copies_reports_and_keeps_those_of_earlier_calls(tmp_path: Path) -> None:
    """A link for each; a report that is a link is not followed."""
    history, reports, target = tmp_path / "h.jsonl", tmp_path / "reports", tmp_path / "site"
    lines = [line_of(night, p99(40e6)) for night in range(3)]
    append_history(history, lines)
    for folder in (reports / lines[0].run_id, reports / "group-repeat" / lines[1].run_id):
        folder.mkdir(parents=True)
        (folder / "report.html").write_text("a report", encoding="utf-8")
    (reports / lines[2].run_id).mkdir()
    (reports / lines[2].run_id / "report.html").symlink_to(history)
    earlier = [str(target), "--history", str(history)]
    done = CliRunner().invoke(app, ["site", *earlier, "--reports", str(reports)])
    assert done.exit_code == 0, done.output
    assert "2 with a report (2 copied)" in done.output
    assert "symbolic link" in done.output
    assert {path.name for path in (target / "runs").iterdir()} == {
        f"{line.run_id}.html" for line in lines[:2]
    }
    done = CliRunner().invoke(app, ["site", *earlier])
    assert "2 with a report (0 copied)" in done.output
    page = outline_of((target / "index.html").read_text(encoding="utf-8"))
    assert f"runs/{lines[0].run_id}.html" in [link["href"] for link in page.all("a")]
    assert len(read_history([history]).lines) == 3


def test_site_copies_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest; the others are named."""
    monkeypatch.setattr(site, "REPORTS_MAX", 1)
    history, reports = tmp_path / "h.jsonl", tmp_path / "reports"
    lines = [line_of(night, p99(40e6)) for night in range(2)]
    append_history(history, lines)
    for line in lines:
        (reports / line.run_id).mkdir(parents=True)
        (reports / line.run_id / "report.html").write_text("a report", encoding="utf-8")
    done = CliRunner().invoke(
        app, ["site", str(tmp_path / "s"), "--history", str(history), "--reports", str(reports)]
    )
    assert "the reports of 1 older runs" in done.output
    assert [path.stem for path in (tmp_path / "s" / "runs").iterdir()] == [lines[1].run_id]
