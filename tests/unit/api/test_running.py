"""`harness.run`: the options of the command line, and a process that stays as it was."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

import harness
from harness import Result, UsageError, Verdict
from harness.api import running
from harness.assessment.assess import RESULT_STORED, Assessment
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Problem
from harness.judge.judgement import with_check
from harness.process.interrupt import Interrupted
from tests.unit.api.conftest import StoredRuns, write_scenario


def test_options_and_objectives(stored_runs: StoredRuns, tmp_path: Path) -> None:
    """As on the command line; an objective that the scenario has is not judged twice."""
    result = harness.run(
        write_scenario(tmp_path, "pass-plain"),
        objectives=["p99  < 500 ms", "p99.9 < 2 s", "p99.9 < 2 s"],
        agents=7,
        duration_s=9,
        settings=["load.warmup_s=2"],
        reports=tmp_path / "reports",
    )
    (asked,) = stored_runs.asked
    assert asked.objectives == ("p99 < 500 ms", "rejected < 1 %", "p99.9 < 2 s")
    stage = asked.load.stages[0]
    assert (stage.agents, stage.duration_s, asked.load.warmup_s) == (7, 9, 2)
    assert result.verdict is Verdict.PASS
    assert result.folder.is_relative_to(tmp_path / "reports")
    assert harness.load_result(result.folder).verdict is Verdict.PASS


def test_the_package_named_run_is_the_function(stored_runs: StoredRuns, tmp_path: Path) -> None:
    """Whether a module of that package was imported or not."""
    import harness.run.parts

    assert harness.run.parts.Progress is not None  # type: ignore[attr-defined]
    result = harness.run(write_scenario(tmp_path, "fail-p99"), reports=tmp_path)
    assert isinstance(result, Result)
    assert result.verdict is Verdict.FAIL


def test_names_of_shipped_scenarios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the command line; an unknown one has the nearest name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="agents"):
        harness.run("smoke", agents=0)
    with pytest.raises(UsageError, match="smoke"):
        harness.run("smoek")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"stack": "dokcer"}, "docker"),
        ({"stack": "attach"}, "contract"),
        ({"objectives": ["p99 < 500"]}, "p99 < 500"),
        ({"agents": 0}, "agents"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, object], word: str) -> None:
    """Nothing is started and no folder is made."""
    path = write_scenario(tmp_path, "pass-plain")
    with pytest.raises(UsageError, match=word):
        harness.run(path, reports=tmp_path / "reports", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "reports").exists()


def test_environment_is_lent_and_given_back(
    stored_runs: StoredRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of libpq do not change what a run connects to; the caller keeps them."""
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.delenv("PGPASSFILE", raising=False)
    before, mask = dict(os.environ), os.umask(0o027)
    seen: list[str | None] = []
    stored_runs.during = lambda: seen.append(os.environ.get("PGHOST"))
    try:
        harness.run(write_scenario(tmp_path, "pass-plain"), reports=tmp_path)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert seen == [None]
    assert dict(os.environ) == before


@pytest.mark.parametrize("kept", [True, False])
def test_interrupt_reaches_the_caller_after_the_run(
    stored_runs: StoredRuns, tmp_path: Path, kept: bool
) -> None:
    """Whether the run ends at once, or in evidence."""

    def interrupt() -> None:
        with suppress(Interrupted) if kept else nullcontext():
            signal.raise_signal(signal.SIGINT)

    stored_runs.during = interrupt
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            harness.run(write_scenario(tmp_path, "pass-plain"), reports=tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_may_run(stored_runs: StoredRuns, tmp_path: Path) -> None:
    """It sets no handler of a signal, which only the main thread may do."""
    path = write_scenario(tmp_path, "pass-plain")
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(harness.run(path, reports=tmp_path)))
    thread.start()
    thread.join(30)
    assert [one.verdict for one in found] == [Verdict.PASS]


def test_result_that_was_not_stored_is_invalid(
    stored_runs: StoredRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command says; judging the evidence again would give PASS."""

    def unstored(*arguments: object) -> tuple[Assessment, RunFolder]:
        assessment, folder = stored_runs(*arguments)  # type: ignore[arg-type]
        check = RESULT_STORED.valid_unless([Problem("disk full", "make room")], "")
        judgement = with_check(assessment.judgement, check)
        return assessment._replace(judgement=judgement), folder

    monkeypatch.setattr(running, "run_once", unstored)
    result = harness.run(write_scenario(tmp_path, "pass-plain"), reports=tmp_path)
    assert result.verdict is Verdict.INVALID
