"""Watching a run until its end, and the exit code of `harness watch`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.assessment.assess import assess_and_store
from harness.cli.watch import find_run, watch, watch_run
from harness.clock import NS_PER_S, ManualClock
from harness.errors import Exit, UsageError
from harness.evidence.run_folder import RunFolder
from harness.process.interrupt import Interrupted
from harness.run.live.folder_source import RunView
from harness.run.parts import Progress
from tests.unit.analysis.evidence import healthy
from tests.unit.judge.violations import drop

SNAPSHOT = Progress(phase="measure", elapsed_ns=1, total_ns=2)


def test_each_snapshot_is_shown_and_each_message_once() -> None:
    """One poll a second until the run has ended."""
    clock, shown, lines = ManualClock(), list[Progress](), list[str]()
    starting = RunView("r", message="the stack is starting")
    views = iter(
        (
            starting,
            starting,
            RunView("r", SNAPSHOT),
            RunView("r", SNAPSHOT, ended=True, message="gone"),
        )
    )
    last = watch(lambda: next(views), clock, shown.append, lines.append)
    assert last.ended
    assert lines == ["the stack is starting", "gone"]
    assert shown == [SNAPSHOT, SNAPSHOT]
    assert clock.now_ns() == 3 * NS_PER_S


def test_latest_is_the_run_that_began_last_even_one_of_several(tmp_path: Path) -> None:
    """Runs are found by path, by id, as members of a group, and by their age."""
    first = RunFolder.create(tmp_path, "smoke", 1_700_000_000 * NS_PER_S)
    group = tmp_path / "20990101-000000-smoke-aaaa-repeat"
    group.mkdir()
    (group / "repeat.json").write_text("{}", encoding="utf-8")
    member = RunFolder.create(group, "smoke", 1_800_000_000 * NS_PER_S)
    assert find_run("latest", tmp_path) == member
    assert find_run(str(group), tmp_path) == member
    assert find_run(first.run_id, tmp_path) == first
    assert find_run(str(first.path), Path("elsewhere")) == first


@pytest.mark.parametrize("target", ["latest", "no-such-run", "http://127.0.0.1:1/metrics"])
def test_no_run_is_wrong_usage(target: str, tmp_path: Path) -> None:
    """A run is named by its folder, its id or `latest`."""
    with pytest.raises(UsageError):
        find_run(target, tmp_path)


@pytest.mark.parametrize(("lossy", "code"), [(False, Exit.PASS), (True, Exit.FAIL)])
def test_the_verdict_is_what_watching_ends_with(
    lossy: bool, code: Exit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that has ended: its last figures, its verdict, its exit code."""
    world = healthy(None, "p99 < 500 ms")
    if lossy:
        drop(world, 1_000)
    folder = world.write(tmp_path)
    assess_and_store(folder)
    assert watch_run("latest", tmp_path) == code
    output = capsys.readouterr().out
    assert f" {code.name} " in output
    assert "finish" in output
    assert str(folder.path) in output


def test_no_verdict_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that was killed long ago ends the watching with the code of INVALID."""
    folder = healthy(None, "p99 < 500 ms").write(tmp_path)
    for path in (folder.path, *folder.path.rglob("*")):
        os.utime(path, ns=(NS_PER_S, NS_PER_S))
    assert watch_run(folder.run_id, tmp_path) == Exit.INVALID
    assert folder.run_id in capsys.readouterr().out


def test_ctrl_c_ends_the_watching_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no failure."""

    def interrupted(*_: object) -> RunView:
        raise Interrupted(2)

    monkeypatch.setattr("harness.cli.watch.watch", interrupted)
    RunFolder.create(tmp_path, "smoke", 1_700_000_000 * NS_PER_S)
    assert watch_run("latest", tmp_path) == Exit.PASS
    assert "the run goes on" in capsys.readouterr().out
