"""Runs that can be compared over time, and how they are printed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import UsageError
from harness.evidence.atomic_files import write_json
from harness.evidence.history import HistoryLine, Metric, append_history
from harness.evidence.manifest import evidence_digests
from harness.evidence.result_digests import with_digests
from harness.evidence.run_folder import RunFolder
from harness.report.history import HistoryRun
from harness.report.trend import Direction, Trend, change_text, level_of, trends_of
from tests.studies.history.nights import TWO_CHANGES, Nights, line_of, p99


def trends(*parts: Sequence[HistoryLine]) -> tuple[Trend, ...]:
    """The trends of these lines."""
    return trends_of(HistoryRun(line) for part in parts for line in part)


def test_two_changes_and_two_outliers() -> None:
    """Both changes with the commits between, and nothing else; censored runs are points."""
    (trend,) = trends(TWO_CHANGES.lines(1))
    (series,) = trend.series
    slower, faster = series.changes
    assert (slower.direction, faster.direction) == (Direction.SLOWER, Direction.FASTER)
    assert abs(slower.point.index - 20) <= 3
    assert abs(faster.point.index - 41) <= 3
    at = slower.point.index
    before, after = (line_of(night).commit[:12] for night in (at - 1, at))
    assert slower.commits == f"{before}..{after}"
    assert slower.differs == ("commit",)
    assert slower.after.run_id in change_text(series, slower)
    assert len(series.points) == 60
    assert any(point.is_censored for point in series.points)


@pytest.mark.parametrize("key", ["question", "stack", "system", "contract", "host"])
def test_runs_that_differ_are_apart(key: str) -> None:
    """What a different stack takes is no change of the system."""
    other = {"stack": "process", "system": "theirs"}.get(key, "f" * 12)
    fast, slow = Nights(count=30), Nights(count=30, changes=((0, 3.0),), own={key: other})
    found = trends(fast.lines(1), slow.lines(2))
    assert len(found) == 2
    assert not any(series.changes for trend in found for series in trend.series)


def test_name_of_a_scenario_splits_nothing() -> None:
    """A question goes by its newest name; images may change, and are named then."""
    before = Nights(count=30).lines(1)
    after = Nights(count=60, changes=((30, 1.5),)).lines(2)[30:]
    renamed = [
        line.model_copy(update={"scenario": "new", "commit": "", "images": {"engine": "f" * 12}})
        for line in after
    ]
    (trend,) = trends(before, renamed)
    assert trend.key.scenario == "new"
    (change,) = trend.series[0].changes
    assert change.differs == ("commit", "images.engine", "images.redis")
    assert change.commits == ""


def test_invalid_runs_and_edited_results_are_no_points() -> None:
    """They are listed, and say nothing of the level."""
    lines = Nights(count=20).lines(1)
    invalid = [line.model_copy(update={"verdict": "INVALID"}) for line in lines[:5]]
    runs = [*map(HistoryRun, invalid), HistoryRun(lines[5], "was edited")]
    (trend,) = trends_of([*runs, *map(HistoryRun, lines[6:])])
    assert len(trend.runs) == 20
    assert len(trend.series[0].points) == 14
    assert trend.series[0].runs_missing == 0
    assert not trends_of(runs)[0].series


@pytest.mark.parametrize(
    ("good", "unit", "factor", "direction"),
    [
        ("low", "ns", 2.0, Direction.SLOWER),
        ("low", "ns", 0.5, Direction.FASTER),
        ("low", "share", 2.0, Direction.WORSE),
        ("high", "share", 2.0, Direction.BETTER),
        ("high", "level", 0.5, Direction.WORSE),
    ],
)
def test_direction_depends_on_what_is_good(
    good: Any, unit: Any, factor: float, direction: Direction
) -> None:
    """More simulated signals are better, more rejected ones worse."""
    lines = [
        line_of(night, Metric(id="x", objective="x", unit=unit, good=good, estimate=value))
        for night in range(30)
        for value in ((0.1 + night * 1e-5) * (factor if night >= 15 else 1.0),)
    ]
    (change,) = trends(lines)[0].series[0].changes
    assert change.direction is direction


@pytest.mark.parametrize(
    ("figures", "level"),
    [
        ((5, 3, 7), (5, 5)),
        ((5, 3, None), (3, 5)),
        ((None, 3, None), (3, float("inf"))),
        ((None, 3, 7), (3, 7)),
        ((5, None, None), (5, 5)),
        ((None, None, 7), None),
    ],
)
def test_level_of_a_run(figures: tuple[int | None, ...], level: tuple[float, float] | None) -> None:
    """A run without an upper bound counts with its lower one."""
    estimate, lower, upper = figures
    metric = Metric(id="x", objective="x", unit="ns", estimate=estimate, lower=lower, upper=upper)
    found = level_of(metric)
    assert (found and (found.at_least, found.at_most)) == level


@pytest.fixture
def reports(judged: RunFolder, tmp_path: Path) -> Path:
    """Two runs of one question and one of another, and a folder that is no run."""
    reports = tmp_path / "reports"
    for name in ("20261101-000000-synthetic-0001", "20261102-000000-synthetic-0002"):
        shutil.copytree(judged.path, reports / name)
    other = reports / "20261103-000000-synthetic-0003"
    shutil.copytree(judged.path, other)
    for path in reports.iterdir():
        edit(path, "p99 < 500 ms", "p99 < 0.5 s" if path.name.endswith("2") else "p99 < 500 ms")
    edit(other, "rate_from = 100.0", "rate_from = 99.0")
    (reports / "notes").mkdir()
    return reports


def edit(path: Path, old: str, new: str) -> None:
    """Change the scenario of a run, which is called like its folder."""
    text = (path / "scenario.toml").read_text(encoding="utf-8")
    assert old in text
    (path / "scenario.toml").write_text(text.replace(old, new), encoding="utf-8")
    document = json.loads((path / "result.json").read_text(encoding="utf-8"))
    document["run_id"] = path.name
    write_json(path / "result.json", with_digests(document, evidence_digests(RunFolder(path))))


def run(*arguments: str) -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, ["trend", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_formats_show_the_same_runs(reports: Path, tmp_path: Path) -> None:
    """A table for people, CSV and JSON for programs, of a folder or of a history."""
    rows = json.loads(run(str(reports), "--as", "json"))
    lines = run(str(reports), "--as", "csv").splitlines()
    assert len(rows) == 9
    assert len(lines) == 10
    assert lines[0].startswith("run_id,time,scenario,question,stack")
    questions = {row["run_id"][-4:]: row["question"] for row in rows}
    assert questions["0001"] == questions["0002"] != questions["0003"]
    table = run(str(reports))
    for row in rows:
        assert row["run_id"] in table
        assert row["verdict"] == "PASS"
        if row["metric"] == "latency_p99_lite":
            assert row["lower"] < row["estimate"] < row["upper"]
            assert row["unit"] == "ns"
    assert "too few runs to find a change: 2 of 14" in table
    path = tmp_path / "h.jsonl"
    done = CliRunner().invoke(app, ["history", "add", str(path), str(reports)])
    assert done.exit_code == 0
    assert json.loads(run("--history", str(path), "--as", "json")) == rows
    assert json.loads(run(str(reports), "--history", str(path), "--as", "json")) == rows


def test_history_is_printed_with_its_changes(tmp_path: Path) -> None:
    """Each change with size, levels and commits, the last first."""
    path = tmp_path / "h.jsonl"
    append_history(path, TWO_CHANGES.lines(1))
    with path.open("a", encoding="utf-8") as file:
        file.write("torn")
    text = run("--history", str(path), "--scenario", "nightly")
    assert "2 changes in 60 runs; the last: faster by" in text
    assert "before: slower by" in text
    assert f"left out: {path}: line 61" in text
    with pytest.raises(UsageError, match="no run of 'nighty'"):
        run("--history", str(path), "--scenario", "nighty")


def test_run_that_cannot_be_read_is_named(reports: Path) -> None:
    """One damaged result does not hide the others, nor is it passed over."""
    (reports / "20261101-000000-synthetic-0001" / "result.json").write_text("{", encoding="utf-8")
    text = run(str(reports))
    assert "left out: 20261101-000000-synthetic-0001" in text
    assert "synthetic-0002" in text


def test_page_is_drawn(tmp_path: Path) -> None:
    """Where it is asked for; nothing else is printed."""
    path, page = tmp_path / "h.jsonl", tmp_path / "trend.html"
    append_history(path, [line_of(0, p99(40e6))])
    assert "written" in run("--history", str(path), "--html", str(page))
    assert "too few runs" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments", [("nowhere",), ("notes",), (".", "--as", "xlsx"), (".", "--history", "none.jsonl")]
)
def test_nothing_to_show_is_wrong_usage(reports: Path, arguments: tuple[str, ...]) -> None:
    """No folder, no run, no such form, no such history."""
    with pytest.raises(UsageError):
        run(str(reports / arguments[0]), *arguments[1:])
