"""A stored run as a line of the history, and the commands that add it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.assessment.assess import assess_and_store
from harness.cli.app import app
from harness.cli.history_files import record_after
from harness.errors import UsageError
from harness.evidence.history import HistoryLine, append_history, read_history
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Check, CheckKind
from harness.judge.verdict import Status
from harness.report import history
from harness.report.history import read_run
from tests.unit.analysis.evidence import healthy, load_of

NS = 10**18


def only(path: Path) -> HistoryLine:
    """The one line of a history."""
    (line,) = read_history([path]).lines
    return line


def test_line_has_what_makes_runs_comparable(judged: RunFolder) -> None:
    """And each objective with its interval, by what it measures."""
    environment = json.loads(judged.environment.read_text(encoding="utf-8"))
    run = read_run(judged, NS, {})
    line = run.line
    assert run.unverified == ""
    assert run.is_measured
    assert line.run_id == judged.run_id
    assert line.time == "1970-01-01T00:00:00Z"
    assert line.recorded == "2001-09-09T01:46:40Z"
    assert line.commit == environment["commit"]
    assert (line.stack, line.verdict, line.grade) == ("process", "PASS", "indicative")
    found = {metric.id: metric for metric in line.metrics}
    assert set(found) == {"latency_p99_lite", "latency_p99_full", "rejected_share"}
    p99 = found["latency_p99_lite"]
    assert (p99.unit, p99.good, p99.limit) == ("ns", "low", 500_000_000)
    assert p99.lower is not None
    assert p99.estimate is not None
    assert p99.lower <= p99.estimate
    assert (found["rejected_share"].unit, found["rejected_share"].estimate) == ("share", 0.0)


def test_commit_of_another_repository(judged: RunFolder) -> None:
    """CI names it; changes in this checkout are not its changes."""
    line = read_run(judged, NS, {"HARNESS_COMMIT": "feed"}).line
    assert (line.commit, line.modified) == ("feed", False)


@pytest.mark.parametrize(
    ("objective", "figures", "expected"),
    [
        ("p99 < 1 s", {"estimate_ns": 5, "lower_ns": 3, "upper_ns": None}, ("ns", 5, 3, None)),
        ("p99 < 1 s", {"estimate_ns": None, "lower_ns": 3}, ("ns", None, 3, None)),
        ("max < 1 s", {"max_ns": 7, "limit_ns": 9}, ("ns", 7, 7, 7)),
        ("p99 over any 5 s < 1 s", {"worst_ns": 8}, ("ns", 8, 8, 8)),
        ("recovery < 1 s", {"first_ns": 2, "backlog_ns": 4}, ("ns", 4, 2, 4)),
        (
            "simulated >= 99 %",
            {"arrived": 9, "attempted": 10, "lower_share": 0.8, "upper_share": 0.95},
            ("share", 0.9, 0.8, 0.95),
        ),
        ("rejected < 1 %", {"rejected_share": 0.1, "lower_share": 0.0}, ("share", 0.1, 0.0, None)),
        ("memory_growth < 1 MB/h", {"bytes_per_h": -4.5}, ("bytes_per_h", -4.5, None, None)),
        ("p99 < 1 s", {}, None),
        ("p99 < 1 s", {"estimate_ns": "x"}, None),
        ("no objective", {"estimate_ns": 5}, None),
    ],
)
def test_figures_of_each_kind_of_objective(
    objective: str, figures: dict[str, Any], expected: tuple[object, ...] | None
) -> None:
    """Estimate and bounds; a maximum is its own bound; what has no figure is left out."""
    check = Check(
        id="x",
        name=objective,
        kind=CheckKind.OBJECTIVE,
        status=Status.PASS,
        message="made up",
        figures=figures,
        objective=objective,
    )
    found = list(history._metrics([check], load_of()))
    shown = [(one.unit, one.estimate, one.lower, one.upper) for one in found]
    assert shown == ([] if expected is None else [expected])


def test_two_limits_of_one_percentile_have_ids_of_their_own() -> None:
    """As their checks have."""
    figures = {"estimate_ns": 5}
    checks: Any = [
        SimpleNamespace(objective=text, name=text, mode="", figures=figures)
        for text in ("p99 < 1 s", "p99 < 2 s")
    ]
    assert [one.id for one in history._metrics(checks, load_of())] == [
        "latency_p99",
        "latency_p99_2",
    ]


def test_edited_result_is_not_recorded(judged: RunFolder, tmp_path: Path) -> None:
    """A warning; neither an exception nor a line."""
    text = judged.result.read_text(encoding="utf-8").replace('"PASS"', '"FAIL"')
    judged.result.write_text(text, encoding="utf-8")
    console = Console(record=True, width=200, file=io.StringIO())
    record_after(tmp_path / "h.jsonl", judged, console)
    assert not (tmp_path / "h.jsonl").exists()
    assert read_run(judged, NS).verdict == "NOT VERIFIED"


def test_failing_append_is_a_warning(judged: RunFolder, tmp_path: Path) -> None:
    """The verdict stands."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with (tmp_path / "out").open("w", encoding="utf-8") as out:
        record_after(tmp_path / "file" / "h.jsonl", judged, Console(file=out, width=200))
        record_after(None, judged, Console(file=out))
    text = (tmp_path / "out").read_text(encoding="utf-8")
    assert text.count("warning: not added to the history") == 1


def run(*arguments: str) -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, ["history", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_add_reads_runs_and_folders_of_them(judged: RunFolder, tmp_path: Path) -> None:
    """A run that is there already adds no line; what cannot be read is named."""
    reports, path = tmp_path / "reports", tmp_path / "h.jsonl"
    copy = reports / "group-repeat" / judged.run_id
    shutil.copytree(judged.path, copy)
    (reports / "broken").mkdir()
    (reports / "broken" / "plan.json").write_text("{", encoding="utf-8")
    assert "added: 1" in run("add", str(path), str(judged.path))
    text = run("add", str(path), str(reports))
    assert "added: 0; already there: 1" in text
    assert "left out: broken" in text
    assert only(path).run_id == judged.run_id
    # Judged again with another outcome: the newer line counts.
    append_history(path, [only(path).model_copy(update={"recorded": "2000-01-01T00:00:00Z"})])
    assert only(path).recorded > "2020"
    assert "lines added: 2" in run("merge", str(tmp_path / "other"), str(path))


def test_nothing_to_add_is_wrong_usage(tmp_path: Path) -> None:
    """No folder, or none with a result."""
    for name in ("missing", ""):
        with pytest.raises(UsageError):
            run("add", str(tmp_path / "h.jsonl"), str(tmp_path / name))


def test_misspelled_name_begins_no_folder(tmp_path: Path) -> None:
    """It is refused before anything runs."""
    path = tmp_path / "history.json"
    for words in (["history", "add", str(path), "reports"], ["run", "x", "--history", str(path)]):
        with pytest.raises(UsageError, match=r"FILE\.jsonl"):
            CliRunner().invoke(app, words, catch_exceptions=False)
    assert not path.exists()


def test_without_environment_and_stack_a_line_is_made(tmp_path: Path) -> None:
    """A CI cache of older versions kept three files of each run."""
    folder = healthy(load_of(duration_s=4.0)).write(tmp_path)
    assess_and_store(folder)
    folder.stack.unlink()
    folder.environment.unlink()
    found = read_run(folder, NS, {})
    assert (found.line.stack, found.line.commit, found.line.images) == ("unknown", "", {})
