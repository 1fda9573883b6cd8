"""`harness report`, and the reports that every run writes."""

from __future__ import annotations

import io
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.assessment.assess import assess
from harness.cli import report_files
from harness.cli.app import app
from harness.cli.judge import judge_folder
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict


def report(*arguments: str) -> str:
    """What the command prints; it must succeed."""
    done = CliRunner().invoke(app, ["report", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def recording_console() -> Console:
    """A console that keeps its output."""
    return Console(file=io.StringIO(), width=200)


def output_of(console: Console) -> str:
    """The output of a console."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_options_page_and_junit_are_in_the_folder(judged: RunFolder) -> None:
    """Both are there and named, and the evidence is as it was sealed."""
    text = report(str(judged.path))
    assert judged.html.name in text
    assert judged.junit.name in text
    assert "<html" in judged.html.read_text(encoding="utf-8")
    assert judged.junit.read_text(encoding="utf-8").startswith("<?xml")
    assert assess(judged).judgement.verdict is Verdict.PASS


def test_each_report_goes_where_it_is_wanted(judged: RunFolder, tmp_path: Path) -> None:
    """Only what was asked for is written; a dash is the terminal."""
    text = report(
        str(judged.path),
        *("--markdown", "-"),
        *("--junit", str(tmp_path / "own.xml")),
        *("--csv", str(judged.path / "csv")),
        *("--hgrm", str(tmp_path / "hgrm")),
        *("--card", str(tmp_path / "card.svg")),
    )
    assert text.startswith("## PASS")
    assert (tmp_path / "own.xml").is_file()
    assert (judged.path / "csv" / "samples.csv.gz").is_file()
    assert list((tmp_path / "hgrm").glob("*.hgrm"))
    assert (tmp_path / "card.svg").read_text(encoding="utf-8").startswith("<svg")
    assert not judged.html.exists()
    # Tables in the run's own folder are no added evidence.
    assert assess(judged).judgement.verdict is Verdict.PASS


def test_open_shows_the_page(judged: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser gets the page's address."""
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    report(str(judged.path), "--open", "--markdown", "-")
    assert shown == [judged.html.as_uri()]


def test_folder_that_is_missing_is_wrong_usage(judged: RunFolder, tmp_path: Path) -> None:
    """A target in no folder is named."""
    with pytest.raises(UsageError, match="no such folder"):
        report(str(judged.path), "--html", str(tmp_path / "nowhere" / "page.html"))


def test_judging_again_writes_the_reports(
    judged: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page and JUnit are made anew, and a CI job's page gets the summary after what it had."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv(report_files.SUMMARY, str(summary))
    assert judge_folder(judged.path) == 0
    assert judged.html.exists()
    assert judged.junit.exists()
    assert summary.read_text(encoding="utf-8").startswith("before\n## PASS: synthetic")


def broken(_: Any) -> str:
    """A report that crashes."""
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize("name", ["html_report", "junit_xml", "read_report_data"])
def test_report_that_crashes_is_a_warning(
    judged: RunFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The verdict and its exit code stand."""
    monkeypatch.setattr(report_files, name, broken)
    console = recording_console()
    report_files.report_after(judged, console)
    assert "warning: no report: ZeroDivisionError: oops" in output_of(console)
    assert judge_folder(judged.path) == 0


def test_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """A folder in place of the file is a warning, and nothing else."""
    console = recording_console()
    report_files.append_summary("text", {report_files.SUMMARY: str(tmp_path)}, console)
    assert "warning" in output_of(console)
    report_files.append_summary("text", {}, console)
