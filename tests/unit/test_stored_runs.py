"""Lists of stored runs, and which of them are removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.completion import complete_runs, complete_scenarios, stored_folder
from harness.errors import UsageError
from harness.evidence.stored_runs import MARKS, stored_runs

HOUR = 3600


def folder(reports: Path, number: int, kind: str = "run", verdict: str = "PASS") -> Path:
    """A run or an experiment that began so many hours ago and ended."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() - number * HOUR))
    ending = "" if kind == "run" else f"-{kind}"
    path = reports / f"{stamp}-smoke-{number:04x}{ending}"
    path.mkdir(parents=True)
    (path / MARKS[kind][0]).write_text("{}", encoding="utf-8")
    name, key = ("signoff.json", "decision") if kind == "signoff" else ("result.json", "verdict")
    checks = [{"kind": "objective", "figures": {"estimate_ns": 7_000_000}}]
    document = {key: verdict, "judgement": {"checks": checks}}
    (path / name).write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One entry of each kind, an hour after another, and what is none."""
    reports = tmp_path / "reports"
    for number, kind in enumerate(MARKS, 1):
        folder(reports, number, kind, "FAIL" if kind == "chaos" else "PASS")
    (reports / "notes").mkdir()
    (reports / "README.md").write_text("x", encoding="utf-8")
    outside = folder(tmp_path / "outside", 9)
    (reports / outside.name).symlink_to(outside)
    monkeypatch.chdir(tmp_path)
    return reports


def harness(*words: str | Path) -> str:
    """The output of a command, which has to succeed."""
    done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def listed(*words: str) -> list[dict[str, Any]]:
    """The list as data."""
    found: list[dict[str, Any]] = json.loads(harness("runs", "--json", *words))
    return found


def test_every_kind_is_listed(reports: Path) -> None:
    """The newest first; notes, files and links are no entries."""
    found = listed()
    assert [one["kind"] for one in found] == list(MARKS)
    assert {one["p99_ns"] for one in found} == {7_000_000}
    assert not any(one["is_written"] for one in found)
    assert len([*reports.iterdir()]) == len(MARKS) + 3


def test_what_is_listed_can_be_chosen(reports: Path) -> None:
    """By verdict, age, number and scenario; a wrong word has the nearest right one."""
    del reports
    assert [one["kind"] for one in listed("--verdict", "fail")] == ["chaos"]
    assert len(listed("--since", "150m")) == 2
    assert len(listed("--last", "3", "--scenario", "smoke")) == 3
    for words in (("--verdict", "FAILED"), ("--scenario", "smok"), ("--reports", "away")):
        with pytest.raises(UsageError) as caught:
            listed(*words)
        assert caught.value.hint


def test_a_run_without_a_result(reports: Path) -> None:
    """It is being written, or was aborted long ago; a damaged result is none."""
    young, old, damaged = [reports / one["run_id"] for one in listed()][:3]
    (young / "result.json").unlink()
    (old / "result.json").unlink()
    (damaged / "result.json").write_text("[", encoding="utf-8")
    for file in old.iterdir():
        os.utime(file, (1, 1))
    found = {one["run_id"]: one for one in listed()}
    assert [found[one.name]["is_written"] for one in (young, old, damaged)] == [True, False, False]
    assert {found[one.name]["verdict"] for one in (young, old, damaged)} == {None}
    with pytest.raises(UsageError, match="is being written"):
        harness("rm", young.name, "--yes")


def test_runs_are_removed(reports: Path) -> None:
    """By id or path, only after a yes; a dry run removes nothing."""
    first, second, *_ = [one["run_id"] for one in listed()]
    harness("rm", first, "--dry-run")
    with pytest.raises(UsageError, match="nothing was removed"):
        harness("rm", first)
    assert (reports / first).is_dir()
    harness("rm", first, reports / second, first, "--yes")
    assert not (reports / first).exists()
    assert not (reports / second).exists()


def test_only_whole_entries_of_ours_are_removed(reports: Path) -> None:
    """No link, no other folder, no part of an experiment."""
    group = next(one for one in listed() if one["kind"] == "repeat")
    member = reports / group["run_id"] / "20260101-000000-smoke-0001"
    member.mkdir()
    (member / "plan.json").write_text("{}", encoding="utf-8")
    link = next(one for one in reports.iterdir() if one.is_symlink())
    for name in (str(member), link.name, "notes", "away", "..", str(reports)):
        with pytest.raises(UsageError):
            harness("rm", name, "--yes")
    assert link.resolve().is_dir()
    assert member.is_dir()


def test_a_link_inside_is_not_followed(reports: Path, tmp_path: Path) -> None:
    """What it leads to stays."""
    kept = tmp_path / "kept.txt"
    kept.write_text("x", encoding="utf-8")
    first = reports / listed()[0]["run_id"]
    (first / "link").symlink_to(tmp_path)
    harness("rm", first.name, "--yes")
    assert kept.exists()


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("--keep", "2"), 2),
        (("--older-than", "210m"), 3),
        (("--keep", "5", "--older-than", "90m"), 5),
        (("--keep", "0"), 0),
        (("--keep", "0", "--keep-verdict", "FAIL"), 1),
        (("--keep", "99"), 7),
    ],
)
def test_old_runs_are_pruned(reports: Path, words: tuple[str, ...], kept: int) -> None:
    """What both options name; the newest stay."""
    before = [one.run_id for one in stored_runs(reports, time.time_ns())]
    harness("prune", *words, "--dry-run")
    harness("prune", *words, "--yes")
    after = [one.run_id for one in stored_runs(reports, time.time_ns())]
    assert len(after) == kept
    if "--keep-verdict" not in words:
        assert after == before[:kept]


def test_prune_asks_what_to_remove(reports: Path) -> None:
    """Without an option nothing is old."""
    del reports
    with pytest.raises(UsageError, match="what to remove"):
        harness("prune", "--yes")


def test_names_and_completion(reports: Path) -> None:
    """A run is named by its id, its folder or as the latest; the shell completes each."""
    newest = listed()[0]["run_id"]
    assert stored_folder(Path("latest")) == Path("reports") / newest
    assert stored_folder(Path(newest)) == Path("reports") / newest
    assert stored_folder(reports / newest) == reports / newest
    assert stored_folder(Path("away")) == Path("away")
    assert complete_runs("")[:2] == ["latest", newest]
    assert f"reports/{newest}/" in complete_runs("reports/2")
    assert complete_scenarios("smok") == ["smoke"]
    assert "signoff/quick" in complete_scenarios("signoff/")
