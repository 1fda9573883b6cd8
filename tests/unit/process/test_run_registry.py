"""Other runs are noticed by a name and by a lock, and nothing that others plant counts."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli.closing import format_other_runs
from harness.process import proc, run_registry
from harness.process.run_registry import RUN_NAME, OtherRuns, other_runs, registered_run

ROOT = Path(__file__).resolve().parents[3]
RUN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from harness.process.run_registry import registered_run
with registered_run(Path(sys.argv[1])):
    print("under way", flush=True)
    sys.stdin.read()
"""
ELSEWHERE = "harness-run-1-0123456789abcdef"


@contextmanager
def a_run(place: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with a run under way."""
    command = [sys.executable, "-I", "-c", RUN, str(place)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        yield process


@contextmanager
def held(path: Path) -> Iterator[None]:
    """A file whose lock is held, as by a process of another PID namespace."""
    lock = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def markers(place: Path) -> list[str]:
    """Names of the files there."""
    return sorted(path.name for path in place.iterdir())


def test_another_run_is_noticed_until_it_ends(tmp_path: Path) -> None:
    """Once, though it has both a name and a lock; its end removes the file."""
    with a_run(tmp_path) as process:
        found = other_runs(tmp_path)
        assert process.pid in found.pids
        assert found.elsewhere == 0
        assert len(markers(tmp_path)) == 1
        process.communicate("")
        assert process.pid not in other_runs(tmp_path).pids
    assert markers(tmp_path) == []


def test_a_killed_run_leaves_nothing(tmp_path: Path) -> None:
    """The next run removes its file, which says nothing by then."""
    with a_run(tmp_path) as process:
        process.kill()
    (left,) = markers(tmp_path)
    with registered_run(tmp_path):
        assert left not in markers(tmp_path)
        assert len(markers(tmp_path)) == 1
    assert markers(tmp_path) == []


def test_a_run_does_not_notice_itself(tmp_path: Path) -> None:
    """Neither its name nor its lock."""
    before = other_runs(tmp_path)
    with registered_run(tmp_path):
        assert other_runs(tmp_path) == before


def test_a_run_of_another_pid_namespace_is_noticed_by_its_lock(tmp_path: Path) -> None:
    """As long as it holds it."""
    before = other_runs(tmp_path).elsewhere
    with held(tmp_path / ELSEWHERE):
        assert other_runs(tmp_path).elsewhere == before + 1
    assert other_runs(tmp_path).elsewhere == before
    assert OtherRuns((3, 4), 2).count == 4


def test_what_others_plant_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, pipes and other users' files; none is followed, changed or waited for."""
    victim = tmp_path / "victim"
    with held(victim):
        (tmp_path / ELSEWHERE).symlink_to(victim)
        os.mkfifo(tmp_path / ELSEWHERE.replace("-1-", "-2-"))
        (tmp_path / ELSEWHERE.replace("-1-", "-3-")).mkdir()
        assert other_runs(tmp_path).elsewhere == 0
        with registered_run(tmp_path):
            assert other_runs(tmp_path).elsewhere == 0
    assert victim.exists()
    with held(tmp_path / ELSEWHERE.replace("-1-", "-4-")):
        assert other_runs(tmp_path).elsewhere == 1
        monkeypatch.setattr("harness.process.run_registry.os.geteuid", lambda: os.getuid() + 1)
        assert other_runs(tmp_path).elsewhere == 0


def test_a_folder_that_cannot_be_used_ends_no_run(tmp_path: Path) -> None:
    """Only the notice to others is lost."""
    with registered_run(tmp_path / "missing"):
        assert other_runs(tmp_path / "missing").elsewhere == 0


def test_a_child_between_fork_and_exec_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the name of the run that is its parent."""
    for pid, name, parent in ((10, RUN_NAME, 1), (11, RUN_NAME, 10), (12, "python3", 1)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(f"{name}\n")
        fields = " ".join(["S", str(parent), *["0"] * 30])
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) {fields}")
    for module in (proc, run_registry):
        monkeypatch.setattr(module, "PROC", tmp_path)
    assert other_runs(tmp_path).pids == (10,)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (OtherRuns((3,)), "another run is under way on this host (pid 3)"),
        (OtherRuns((), 1), "another run is under way on this host (1 in another PID namespace)"),
        (OtherRuns((3, 4), 1), "3 other runs are under way on this host (pid 3, 4; 1 in"),
    ],
)
def test_other_runs_are_printed_with_what_is_known_of_them(found: OtherRuns, expected: str) -> None:
    """A number of a process only where it means something here."""
    assert expected in format_other_runs(found)
