"""Runs of one question over time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from harness.assessment.result import Result, read_unverified
from harness.cli.app import app
from harness.errors import UsageError
from harness.evidence.atomic_files import write_json
from harness.evidence.manifest import evidence_digests
from harness.evidence.result_digests import with_digests
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.report.trend import TrendPoint, _with_changes, trends_of


def night(number: int, lower: int | None, upper: int | None, verdict: Verdict) -> TrendPoint:
    """A run with an interval."""
    return TrendPoint(f"run-{number}", "s", number, verdict, "indicative", "p99", 1, lower, upper)


def changes(*intervals: tuple[int, int] | None, verdict: Verdict = Verdict.PASS) -> list[str]:
    """The changes of runs with these intervals."""
    nights = [
        night(number, own[0] if own else None, own[1] if own else None, verdict)
        for number, own in enumerate(intervals)
    ]
    return [one.change for one in _with_changes(nights)]


def test_only_an_interval_without_overlap_is_a_change() -> None:
    """Touching or overlapping ones are the noise of runs."""
    assert changes((10, 20), (20, 30), (15, 18)) == ["", "", ""]
    assert changes((10, 20), (21, 30)) == ["", "slower"]
    assert changes((10, 20), (5, 9)) == ["", "faster"]


def test_a_change_is_relative_to_the_last_runs() -> None:
    """The new level is the usual one after a while, and one lucky run is not."""
    assert changes((10, 20), (40, 50), (41, 52)) == ["", "slower", ""]
    assert changes((10, 20), (40, 50), (11, 19)) == ["", "slower", ""]


def test_runs_without_an_interval_are_skipped() -> None:
    """Too few signals, or an INVALID run: neither changed, nor a baseline."""
    assert changes((10, 20), None, (21, 30)) == ["", "", "slower"]
    assert changes((10, 20), (40, 50), verdict=Verdict.INVALID) == ["", ""]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)).map(sorted), max_size=12))
def test_overlapping_runs_never_change(pairs: list[list[int]]) -> None:
    """Where all intervals share a point there is no change."""
    shared = [(min(low, 50), max(high, 50)) for low, high in pairs]
    assert not any(changes(*shared))


@pytest.fixture
def reports(judged: RunFolder, tmp_path: Path) -> Path:
    """Two runs of one question and one of another, and a folder that is no run."""
    reports = tmp_path / "reports"
    for name in ("20261101-000000-synthetic-0001", "20261102-000000-synthetic-0002"):
        shutil.copytree(judged.path, reports / name)
        edit_run_id(reports / name)
    other = reports / "20261103-000000-synthetic-0003"
    shutil.copytree(judged.path, other)
    text = (other / "scenario.toml").read_text(encoding="utf-8")
    changed = text.replace("rate_from = 100.0", "rate_from = 99.0")
    assert changed != text
    (other / "scenario.toml").write_text(changed, encoding="utf-8")
    edit_run_id(other)
    (reports / "notes").mkdir()
    return reports


def edit_run_id(path: Path) -> None:
    """A run is called like its folder."""
    document = json.loads((path / "result.json").read_text(encoding="utf-8"))
    document["run_id"] = path.name
    write_json(path / "result.json", with_digests(document, evidence_digests(RunFolder(path))))


def test_questions_are_kept_apart(reports: Path) -> None:
    """Another rate is another question; runs of one stand in order of time."""
    folders = [RunFolder.open(path) for path in reports.glob("*-synthetic-*")]
    runs: list[tuple[object, Result, str]] = [
        (one.read_scenario(), *read_unverified(one)) for one in folders
    ]
    trends = trends_of(reversed(runs))  # type: ignore[arg-type]  # scenarios, which tuple forgot
    assert [[night.run_id[-4:] for night in trend.points] for trend in trends] == [
        ["0001", "0002"],
        ["0003"],
    ]


def run(*arguments: str) -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, ["trend", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_formats_show_the_same_runs(reports: Path) -> None:
    """A table for people, CSV and JSON for programs."""
    table = run(str(reports))
    rows = json.loads(run(str(reports), "--as", "json"))
    lines = run(str(reports), "--as", "csv").splitlines()
    assert len(rows) == 3
    assert lines[0].startswith("run_id,scenario,seed,verdict")
    assert len(lines) == 4
    for row in rows:
        assert row["run_id"] in table
        assert row["verdict"] == "PASS"
        assert row["lower_ns"] < row["estimate_ns"] < row["upper_ns"]


def test_run_that_cannot_be_read_is_named(reports: Path) -> None:
    """One damaged result does not hide the others, nor is it passed over."""
    (reports / "20261101-000000-synthetic-0001" / "result.json").write_text("{", encoding="utf-8")
    text = run(str(reports))
    assert "left out: 20261101-000000-synthetic-0001" in text
    assert "synthetic-0002" in text


@pytest.mark.parametrize("arguments", [("nowhere",), ("notes",), (".", "--as", "xlsx")])
def test_nothing_to_show_is_wrong_usage(reports: Path, arguments: tuple[str, ...]) -> None:
    """No folder, no run, no such form."""
    with pytest.raises(UsageError):
        run(str(reports / arguments[0]), *arguments[1:])
