"""Whatever ends the harness, nothing that it started is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from harness.process.proc import find
from harness.process.reaper_client import ReaperClient
from harness.stack.ports import is_free
from harness.stack.private_dir import PREFIX, create_private_dir, sweep_stale
from harness.stack.process.postgres import PostgresServer
from harness.stack.server_user import User
from tests.stack.process_standin import WITH_CHILD, write_standin
from tests.stack.test_process_stack import until

pytestmark = pytest.mark.stack
REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = 65_534


@dataclass(frozen=True, slots=True)
class Harness:
    """A harness in miniature, in a process of its own."""

    process: subprocess.Popen[str]
    private_dir: Path
    logs: Path
    facts: dict[str, Any]

    def pids(self) -> set[int]:
        """The reaper, every service, and all their children."""
        roots = {*self.facts["pids"].values(), self.facts["warden"]}
        inside = find("", (str(self.private_dir),))
        children = {c.pid for pid in roots for c in psutil.Process(pid).children(recursive=True)}
        return roots | children | inside

    def check_nothing_is_left(self, pids: set[int]) -> None:
        """Wait until every process, port and folder is gone."""
        until(lambda: not [pid for pid in pids if _runs(pid)])
        until(lambda: not self.private_dir.exists())
        assert all(is_free(port) for port in self.facts["ports"].values())


def _runs(pid: int) -> bool:
    # A zombie that nobody has collected yet is not running.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user can use."""
    folder = Path(tempfile.mkdtemp(prefix="harness-test-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _start(place: Path, user: int | None = None, python: str = sys.executable) -> Harness:
    root = write_standin(place / "repository", engine=WITH_CHILD)
    private_dir, logs = place / f"{PREFIX}test", place / "logs"
    as_user: dict[str, Any] = {}
    if user is not None:
        as_user = {"user": user, "group": user, "extra_groups": []}
    process = subprocess.Popen(
        [python, "-m", "tests.stack.process_script", root, private_dir, logs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        # A locale that does not exist and a home that does: what a newcomer's shell may hold.
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "xx_YY.UTF-8"},
        start_new_session=True,
        **as_user,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.communicate()
        pytest.fail(f"the stack did not start: exit {process.returncode}")
    return Harness(process, private_dir, logs, json.loads(line))


def _python_for(place: Path) -> str:
    """An interpreter that another user can run, with this one's packages; skips if none."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    outsider = User(NOBODY, NOBODY)
    candidates = (Path(sys.executable), *(Path(f) / name for f in os.get_exec_path()))
    for candidate in candidates:
        packages = Path(psutil.__file__).parents[1]
        if outsider.reaches(candidate) and outsider.reaches(packages / "psutil"):
            subprocess.run([candidate, "-m", "venv", "--without-pip", place / "venv"], check=True)
            site = place / "venv" / "lib" / name / "site-packages"
            (site / "packages.pth").write_text(f"{packages}\n")
            # redis-py wants this package before Python 3.11.3, and ours may be later.
            (site / "async_timeout.py").write_text("from asyncio import timeout as timeout\n")
            return str(place / "venv" / "bin" / "python")
    pytest.skip(f"no {name} that an ordinary user can run, or the packages are out of its reach")


def _close(harness: Harness) -> None:
    for stream in (harness.process.stdin, harness.process.stdout):
        if stream is not None:
            stream.close()


def test_kill_9(place: Path) -> None:
    """The reaper ends and removes everything when the harness had no chance to."""
    harness = _start(place)
    pids = harness.pids()
    assert len(pids) >= 10  # PostgreSQL alone has several
    harness.process.kill()
    harness.process.wait()
    harness.check_nothing_is_left(pids)
    _close(harness)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt(place: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the stack in order."""
    harness = _start(place)
    pids = harness.pids()
    os.killpg(harness.process.pid, number)
    assert harness.process.wait(20) == 4
    harness.check_nothing_is_left(pids)
    _close(harness)


def test_without_rights(place: Path) -> None:
    """The whole stack runs as an ordinary user too, servers and all."""
    if os.geteuid() != 0:
        pytest.skip("every other test runs as an ordinary user already")
    harness = _start(place, user=NOBODY, python=_python_for(place))
    assert harness.facts["uid"] == NOBODY
    pids = harness.pids()
    assert {psutil.Process(pid).uids().real for pid in pids} == {NOBODY}
    _close(harness)
    assert harness.process.wait(20) == 0
    harness.check_nothing_is_left(pids)


def test_both_killed(place: Path) -> None:
    """With the reaper killed too, the kernel ends the services and the next run sweeps up."""
    harness = _start(place)
    pids = harness.pids()
    os.kill(harness.facts["warden"], signal.SIGKILL)
    harness.process.kill()
    harness.process.wait()
    until(lambda: not [pid for pid in harness.facts["pids"].values() if _runs(pid)])
    assert harness.private_dir.exists()
    assert sweep_stale(place) == (harness.private_dir,)
    harness.check_nothing_is_left(pids)
    _close(harness)


def test_living_owners_are_left_alone(place: Path) -> None:
    """Another run's folder is not swept while that run lives."""
    folder = create_private_dir(place)
    assert sweep_stale(place) == ()
    assert folder.exists()


def test_installation_out_of_reach(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the servers' user cannot get to the programs, a copy within its folder runs."""
    if os.geteuid() != 0:
        pytest.skip("an ordinary user runs the servers itself and reaches what it has installed")
    monkeypatch.setattr(User, "reaches", Mock(return_value=False))
    reaper = ReaperClient()
    reaper.start()
    server = PostgresServer(place / "postgres", place / "log", reaper, "harness_observer")
    try:
        server.prepare()
    finally:
        reaper.stop()
    assert server.version.startswith("16.")
    assert server.describe()["binary"].startswith(str(place / "postgres"))
    assert (place / "postgres" / "data" / "PG_VERSION").read_text() == "16\n"
